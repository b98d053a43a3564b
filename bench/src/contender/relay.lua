-- Publishes, remembers and acknowledges a batch in one step.
--
-- KEYS  1 stream of the messages, 2 stream of the results
-- ARGV  1 group, 2 how long to remember in ms, then for each message: entry id, deduplication key,
--       number of arguments of its result, name, value, …
local call, tonumber, unpack = redis.call, tonumber, unpack
local ids, p = {}, 3
while p < #ARGV do
  local stop = p + 2 + tonumber(ARGV[p + 2])
  if call('SET', 'seen:' .. ARGV[p + 1], '1', 'NX', 'PX', ARGV[2]) then
    call('XADD', KEYS[2], '*', unpack(ARGV, p + 3, stop))
  end
  ids[#ids + 1] = ARGV[p]
  p = stop + 1
end
return call('XACK', KEYS[1], ARGV[1], unpack(ids))
