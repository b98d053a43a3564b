-- Counts the distinct members of a key within a window that begins with the first of them.
--
-- KEYS  1 the tally: a hash of 'm' .. member to its position, '#' to the count, '1' to the first member
-- ARGV  1 member, 2 window in ms, 3 how many members to remember
-- Returns {first member, count, position of this member, 1 if it is new}.
local key, member = KEYS[1], 'm' .. ARGV[1]
local position = redis.call('HGET', key, member)
if position then
  local known = redis.call('HMGET', key, '1', '#')
  return {known[1], tonumber(known[2]), tonumber(position), 0}
end
local count = redis.call('HINCRBY', key, '#', 1)
if count == 1 then
  redis.call('HSET', key, '1', ARGV[1])
  redis.call('PEXPIRE', key, ARGV[2])
end
-- Beyond the bound only the counter grows.
if count <= tonumber(ARGV[3]) then redis.call('HSET', key, member, count) end
return {redis.call('HGET', key, '1'), count, count, 1}
