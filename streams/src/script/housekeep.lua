-- Trims what all groups have done with, saves how far each has come, says "alive", and deletes dead consumers.
--
-- KEYS  1 stream, 2 workers, 3 cursor, 4 fence, 5 order, 6 turn, 7 parked, 8 what the parked sets' names begin with
-- ARGV  1 group, 2 consumer, 3 what to register (Keys::workers), 4 after how many ms without a heartbeat a
--       consumer is dead, 5 retention in ms
-- The registry as a whole goes a day after the last heartbeat in it: then nobody is left who could clear it up.
-- Returns {names of deleted consumers, how many entries were trimmed, {group, consumers, pending, lag or -1}…}
local stream, workers, cursors = KEYS[1], KEYS[2], KEYS[3]
local group, me, dead_after, retention = ARGV[1], ARGV[2], tonumber(ARGV[4]), tonumber(ARGV[5])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function members(list)
  local map = {}
  for i = 1, #list, 2 do map[list[i]] = list[i + 1] end
  return map
end

-- Ids compare as pairs of numbers; a sequence beyond 2^53 does not occur with ids made by the server.
local function parts(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end
local function before(a, b)
  local am, as = parts(a)
  local bm, bs = parts(b)
  return am < bm or (am == bm and as < bs)
end
local function previous(id)
  local ms, seq = parts(id)
  if seq > 0 then return string.format('%.0f-%.0f', ms, seq - 1) end
  if ms > 0 then return string.format('%.0f-18446744073709551615', ms - 1) end
  return '0-0'
end

-- The cursor stands before the oldest entry that somebody still has in hand: a group made anew from it repeats, it never skips.
local floor
local groups, saved = {}, {}
-- After a restart or a failover Redis's own lag may be too high for ever; it is never more than what the stream holds.
local length = redis.call('XLEN', stream)
local newest = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
for _, info in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
  local g = members(info)
  local last = g['last-delivered-id']
  local needed = last
  local cursor = last
  if g.pending > 0 then
    needed = redis.call('XPENDING', stream, g.name)[2]
    cursor = previous(needed)
  end
  local waiting = redis.call('ZRANGE', KEYS[8] .. g.name, 0, 0)[1]
  if waiting and before(unpad(waiting), needed) then
    needed = unpad(waiting)
    cursor = previous(needed)
  end
  saved[#saved + 1] = g.name
  saved[#saved + 1] = cursor
  if not floor or before(needed, floor) then floor = needed end
  local lag = g.lag or -1
  if lag > length then lag = length end
  if not newest or not before(last, newest[1]) then lag = 0 end
  groups[#groups + 1] = {g.name, g.consumers, g.pending, lag}
end

local trimmed = 0
local cut = string.format('%.0f-0', math.max(0, now - retention))
if floor then
  if before(floor, cut) then cut = floor end
  if cut ~= '0-0' then trimmed = redis.call('XTRIM', stream, 'MINID', cut) end
end

-- With a full memory Redis refuses these as long as nothing was trimmed; the rest goes on.
if #saved > 0 then redis.pcall('HSET', cursors, unpack(saved)) end
redis.pcall('HSET', workers, group .. '/' .. me, string.format('%.0f', now) .. ' ' .. ARGV[3])
redis.call('PEXPIRE', workers, string.format('%.0f', math.max(86400000, 10 * dead_after)))

-- Heartbeats from the future: the clock was set back. Until it has caught up nothing that is pending would look idle, so
-- every lease begins anew; the dead will not renew theirs.
local registry = redis.call('HGETALL', workers)
local set_back = false
for i = 1, #registry, 2 do
  local beat, about = string.match(registry[i + 1], '^(%d+)(.*)$')
  if string.sub(registry[i], 1, #group + 1) == group .. '/' and beat and tonumber(beat) > now + 1000 then
    redis.pcall('HSET', workers, registry[i], string.format('%.0f', now) .. about)
    set_back = true
  end
end
if set_back then
  for _, info in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
    local consumer = members(info)
    local start = '-'
    while start do
      local own = redis.call('XPENDING', stream, group, start, '+', 1000, consumer.name)
      local ids = {}
      for i = 1, #own do ids[i] = own[i][1] end
      start = own[1000] and '(' .. ids[1000]
      ids[#ids + 1] = 'JUSTID'
      if #own > 0 then redis.call('XCLAIM', stream, group, consumer.name, 0, unpack(ids)) end
    end
  end
end

-- A consumer is dead if nothing is pending for it, it has left or has not said "alive" for long. Its `idle` counts only
-- for consumers that never registered: Redis 7.0 does not refresh it on an empty read.
local deleted, present = {}, {}
for _, info in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
  local consumer = members(info)
  local field = group .. '/' .. consumer.name
  present[field] = true
  if consumer.name ~= me and consumer.pending == 0 then
    local beat = redis.call('HGET', workers, field)
    local since = beat and (now - (tonumber(string.match(beat, '^%d+')) or 0)) or consumer.idle
    if since > dead_after then
      redis.call('XGROUP', 'DELCONSUMER', stream, group, consumer.name)
      redis.call('HDEL', workers, field)
      redis.call('HDEL', KEYS[4], field)
      deleted[#deleted + 1] = consumer.name
    end
  end
end
-- Registered, never seen in the group, and silent: gone before it read anything.
registry = redis.call('HGETALL', workers)
for i = 1, #registry, 2 do
  local field, beat = registry[i], tonumber(string.match(registry[i + 1], '^%d+')) or 0
  if string.sub(field, 1, #group + 1) == group .. '/' and not present[field] then
    if now - beat > dead_after then
      redis.call('HDEL', workers, field)
    else
      present[field] = true
    end
  end
end
-- A token is made before anything is read, so whoever went before that has left one, and so has a request that came after its sender
-- had left. Without a token a consumer is only trusted less.
local tokens = redis.call('HGETALL', KEYS[4])
for i = 1, #tokens, 2 do
  if string.sub(tokens[i], 1, #group + 1) == group .. '/' and not present[tokens[i]] then redis.call('HDEL', KEYS[4], tokens[i]) end
end

-- Those who wait for a message that somebody acknowledged or deleted by hand would wait for ever.
local sample = redis.call('ZRANGE', KEYS[7], 0, 9)
for _, waiting in ipairs(redis.call('ZRANDMEMBER', KEYS[7], 10)) do sample[#sample + 1] = waiting end
for _, waiting in ipairs(sample) do
  local key = string.match(waiting, ' (.*)$')
  if not holder(stream, group, KEYS[6], key) then
    pass_on(stream, group, KEYS[5], KEYS[6], KEYS[7], key, leave_to_anyone(stream, group, me))
  end
end

return {deleted, trimmed, groups}
