-- Hands back what this consumer has, so that another one may take it over at once, and leaves the group.
--
-- KEYS  1 stream, 2 workers
-- ARGV  1 group, 2 consumer, 3 how idle the entries shall look, in ms
-- Returns how many entries were handed back.
local stream, workers, group, me = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
local back, start = 0, '-'
while true do
  local own = redis.call('XPENDING', stream, group, start, '+', 1000, me)
  for i = 1, #own do
    -- A hand-over is no fault of the message and does not count as a delivery.
    redis.call('XCLAIM', stream, group, me, 0, own[i][1],
      'IDLE', ARGV[3], 'RETRYCOUNT', math.max(0, own[i][4] - 1), 'JUSTID')
    start = '(' .. own[i][1]
  end
  back = back + #own
  if #own < 1000 then break end
end
if back == 0 then
  redis.call('XGROUP', 'DELCONSUMER', stream, group, me)
  redis.call('HDEL', workers, group .. '/' .. me)
else
  -- Whoever takes over the last of them deletes this consumer, and need not wait for its heartbeat to grow old.
  redis.call('HSET', workers, group .. '/' .. me, '0 left')
end
return back
