-- Moves a projection on and writes what the entries up to there came to, if nobody else has moved it meanwhile.
--
-- KEYS  1 the projection: a hash with the id of the last entry that is in it under 'at', 2… hashes to replace
-- ARGV  1 where it is thought to be ('' for the beginning), 2 where it goes,
--       then for each hash: for how long it is kept in ms, number of fields, then names and values
-- Returns 1, or 0 if it was elsewhere and nothing was written.
local call = redis.call
if (call('HGET', KEYS[1], 'at') or '') ~= ARGV[1] then return 0 end
local p = 2
for k = 2, #KEYS do
  local kept, count = ARGV[p + 1], tonumber(ARGV[p + 2])
  p = p + 2
  call('DEL', KEYS[k])
  if count > 0 then
    call('HSET', KEYS[k], unpack(ARGV, p + 1, p + 2 * count))
    call('PEXPIRE', KEYS[k], kept)
  end
  p = p + 2 * count
end
call('HSET', KEYS[1], 'at', ARGV[2])
return 1
