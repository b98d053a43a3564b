-- Appends messages to one stream, all in one command: in a cluster a pipeline would be torn apart while its slot moves.
--
-- KEYS  1 stream
-- ARGV  for each message: number of arguments that follow, name, value, …
-- Returns their ids.
local ids, p = {}, 1
while p <= #ARGV do
  local stop = p + tonumber(ARGV[p])
  ids[#ids + 1] = redis.call('XADD', KEYS[1], '*', unpack(ARGV, p + 1, stop))
  p = stop + 1
end
return ids
