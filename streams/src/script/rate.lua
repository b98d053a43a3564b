-- Takes permits from a rate that all replicas share: the generic cell rate algorithm (https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm).
--
-- KEYS  1 rate: a hash from group to the theoretical arrival time of the next message, in microseconds
-- ARGV  1 group, 2 how many are wanted, 3 microseconds for each, 4 how many may go at once after a pause, 5 how many are given back
-- Returns {how many are granted, microseconds until there is another one}
local group, wanted = ARGV[1], tonumber(ARGV[2])
local each, burst, back = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local next_at = tonumber(redis.call('HGET', KEYS[1], group) or 0) - back * each
-- A clock that went back must not stop everything until it has caught up.
if next_at > now + 2 * burst * each then next_at = now + burst * each end
if next_at < now then next_at = now end
local free = math.floor((now + burst * each - next_at) / each + 0.000001)
local granted = math.max(0, math.min(wanted, free))
next_at = next_at + granted * each
redis.call('HSET', KEYS[1], group, string.format('%.3f', next_at))
return {granted, math.max(0, math.ceil(next_at - now - (burst - 1) * each))}
