-- Hands back what this consumer has, so that another one may take it over at once, and leaves the group.
--
-- KEYS  1 stream, 2 workers, 3 fence
-- ARGV  1 group, 2 consumer, 3 how idle the entries shall look, in ms, then the ids that are kept for now
-- Returns how many entries were handed back.
local stream, workers, group, me = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
local keep, kept = {}, #ARGV - 3
for i = 4, #ARGV do keep[ARGV[i]] = true end
local back, start = 0, '-'
while true do
  local own = redis.call('XPENDING', stream, group, start, '+', 1000, me)
  for i = 1, #own do
    -- A hand-over is no fault of the message and does not count as a delivery.
    if own[i][3] >= tonumber(ARGV[3]) then
      -- Handed back by an earlier call.
      back = back + 1
    elseif not keep[own[i][1]] then
      redis.call('XCLAIM', stream, group, me, 0, own[i][1],
        'IDLE', ARGV[3], 'RETRYCOUNT', math.max(0, own[i][4] - 1), 'JUSTID')
      back = back + 1
    end
    start = '(' .. own[i][1]
  end
  if #own < 1000 then break end
end
if kept > 0 then return back end
if back == 0 then
  redis.call('XGROUP', 'DELCONSUMER', stream, group, me)
  redis.call('HDEL', workers, group .. '/' .. me)
  redis.call('HDEL', KEYS[3], group .. '/' .. me)
else
  -- Whoever takes over the last of them deletes this consumer, and need not wait for its heartbeat to grow old.
  redis.call('HSET', workers, group .. '/' .. me, '0 left')
end
return back
