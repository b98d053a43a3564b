-- Keeps what is in hand, fetches what was lost on the way, moves back what is due, and takes over what others left.
--
-- KEYS  1 stream, 2 delayed, 3 fence
-- ARGV  1 group, 2 consumer, 3 lease in ms, 4 how many to take over, 5 from which delivery on one is handled alone,
--       6 how many due messages to move back, 7 '1' to recover own pending entries that are not in hand,
--       8 '1' if those count as delivered once more, 9 the consumer's fence token, '' to look everything up, or
--       'new' to make another one too, 10 '1' if nothing is in hand, '0' if
--       something is, '-1' if one that is to be handled alone is, then the ids in hand
-- Returns {ids no longer owned, entries, ms until the next one is due or -1, moved back, how many had vanished,
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
for i = 11, #ARGV do held[ARGV[i]] = true end
if #ARGV > 10 then
  local renew = {}
  for i = 11, #ARGV do
    if (trusted and #ARGV > 74) or #redis.call('XPENDING', stream, group, ARGV[i], ARGV[i], 1, me) == 1 then
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

-- Idle for a whole lease: whoever had it is gone or hangs. One that is to be handled alone is left to a replica that has nothing else
-- in hand, for a while; and each takes one of those at a time.
local want, alone_from, suspects = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[10])
if want > 0 then
  local taken = 0
  local idle = redis.call('XPENDING', stream, group, 'IDLE', lease, '-', '+', want + 100)
  for i = 1, #idle do
    local id, owner, silent, count = idle[i][1], idle[i][2], idle[i][3], idle[i][4] + 1
    local suspect = count >= alone_from
    if taken == want then break end
    if not suspect or suspects > 0 or (suspects == 0 and silent > 3 * lease) then
      local got = redis.call('XCLAIM', stream, group, me, lease, id)[1]
      if owner ~= me then redis.call('HDEL', fence, group .. '/' .. owner) end
      if got then
        entries[#entries + 1] = {id, got[2], count, 'taken'}
        taken = taken + 1
        if suspect then suspects = -1 end
      else
        -- Trimmed or deleted while it was pending: XCLAIM has forgotten it.
        vanished = vanished + 1
      end
    end
  end
end

return {lost, entries, wait, moved, vanished, token}
