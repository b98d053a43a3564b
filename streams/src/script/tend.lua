-- Keeps what is in hand, fetches what was lost on the way, moves back what is due, and takes over what others left.
--
-- KEYS  1 stream, 2 delayed, 3 fence
-- ARGV  1 group, 2 consumer, 3 lease in ms, 4 how many to take over, 5 where the search for them goes on,
--       6 how many due messages to move back, 7 '1' to recover own pending entries that are not in hand,
--       8 '1' if those count as delivered once more, 9 the consumer's fence token, '' to look everything up, or
--       'new' to make another one too, then the ids in hand
-- Returns {ids no longer owned, entries, ms until the next one is due or -1, moved back, where to go on, how many had vanished,
--       the consumer's fence token or ''}
--       with entries {id, fields, deliveries, 'own' or 'taken'}
local stream, delayed, fence = KEYS[1], KEYS[2], KEYS[3]
local group, me, lease = ARGV[1], ARGV[2], tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lost, entries, vanished = {}, {}, 0

-- A token is a number that this stream has never used before; commit.lua says what it is for. Whoever takes something from a
-- consumer deletes its token, which works with a full memory too. A process that finds entries under its name was not the only one.
local token = redis.call('HGET', fence, group .. '/' .. me)
local trusted = token and token == ARGV[9] and ARGV[8] == '0'
if not trusted and (not token or ARGV[8] == '1' or ARGV[9] == 'new') then
  redis.call('HDEL', fence, group .. '/' .. me)
  token = ''
  if not redis.call('HGET', fence, '#') then
    redis.pcall('HSET', fence, '#', string.format('%.0f', time[1] * 1000000 + time[2]))
  end
  local reply = redis.pcall('HINCRBY', fence, '#', 1)
  if type(reply) == 'number' then
    local number = string.format('%.0f', reply)
    if type(redis.pcall('HSET', fence, group .. '/' .. me, number)) == 'number' then token = number end
  end
end

-- Leases. XCLAIM takes from another owner just as readily, so ask first. JUSTID counts no delivery. A few are looked up in any
-- case, which notices an XCLAIM by hand.
local held = {}
for i = 10, #ARGV do held[ARGV[i]] = true end
if #ARGV > 9 then
  local renew = {}
  for i = 10, #ARGV do
    if (trusted and #ARGV > 73) or #redis.call('XPENDING', stream, group, ARGV[i], ARGV[i], 1, me) == 1 then
      renew[#renew + 1] = ARGV[i]
    else
      lost[#lost + 1] = ARGV[i]
    end
    if #renew == 1000 or (i == #ARGV and #renew > 0) then
      renew[#renew + 1] = 'JUSTID'
      redis.call('XCLAIM', stream, group, me, 0, unpack(renew))
      renew = {}
    end
  end
end

-- Delivered to this consumer, but the reply never arrived (or an earlier process of this name had it).
if ARGV[7] == '1' then
  local own = redis.call('XPENDING', stream, group, '-', '+', 10000, me)
  for i = 1, #own do
    local id, count = own[i][1], own[i][4]
    if not held[id] then
      if ARGV[8] == '1' then count = count + 1 end
      redis.call('XCLAIM', stream, group, me, 0, id, 'RETRYCOUNT', count, 'JUSTID')
      local found = redis.call('XRANGE', stream, id, id)
      if found[1] then
        entries[#entries + 1] = {id, found[1][2], count, 'own'}
      else
        redis.call('XACK', stream, group, id)
        vanished = vanished + 1
      end
    end
    if #entries >= 1000 then break end
  end
end

-- Retries and scheduled messages that are due.
local moved = 0
local due = redis.call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, ARGV[6])
for i = 1, #due do
  local reply = redis.pcall('XADD', stream, '*', unpack(cmsgpack.unpack(due[i])))
  -- Out of memory, say: it stays where it is.
  if type(reply) == 'table' then break end
  redis.call('ZREM', delayed, due[i])
  moved = moved + 1
end
local first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
local wait = -1
if first[2] then wait = math.max(0, math.ceil(tonumber(first[2]) - now)) end

-- Idle for a whole lease: whoever had it is gone or hangs.
local cursor = ARGV[5]
local function pending()
  local counts = {}
  for _, consumer in ipairs(redis.call('XPENDING', stream, group)[4] or {}) do
    counts[consumer[1]] = tonumber(consumer[2])
  end
  return counts
end
if tonumber(ARGV[4]) > 0 then
  local before = pending()
  local claimed = redis.call('XAUTOCLAIM', stream, group, me, lease, cursor, 'COUNT', ARGV[4])
  if #claimed[2] + #claimed[3] > 0 then
    local after = pending()
    for consumer, count in pairs(before) do
      if consumer ~= me and (after[consumer] or 0) < count then
        redis.call('HDEL', fence, group .. '/' .. consumer)
      end
    end
  end
  cursor = claimed[1]
  vanished = vanished + #claimed[3]
  local got = claimed[2]
  for i = 1, #got do
    local id = got[i][1]
    local one = redis.call('XPENDING', stream, group, id, id, 1, me)
    entries[#entries + 1] = {id, got[i][2], one[1] and one[1][4] or 1, 'taken'}
  end
end

return {lost, entries, wait, moved, cursor, vanished, token}
