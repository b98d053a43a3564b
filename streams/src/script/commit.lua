-- Commits a batch of outcomes in one step.
--
-- KEYS  1 stream, 2 name of the deduplication sets without the window's number, 3 delayed, 4 dead letters,
--       5… streams to append to
-- ARGV  1 group, 2 consumer, 3 n, 4 deduplication window in ms, 5 how many pending entries to read at once,
--       then n entry ids in ascending order, then n deduplication marks ('' for none), then n records:
--       kind, number of arguments that follow, arguments
--         o  done         outgoing…
--         r  retry        wait in ms, message…
--         l  later        due time in ms, message…
--         d  dead letter  number of arguments of the dead letter, the dead letter…, outgoing…
--         x  acknowledge only
--       outgoing: index of its stream in KEYS, number of its arguments, name, value, …
-- Returns a list of {index, what} for each outcome that did not take effect: 'fenced', 'duplicate', or an error.
local call, pcall, unpack, tonumber, type = redis.call, redis.pcall, unpack, tonumber, type
local stream, seen, delayed, dead = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local group, consumer, n = ARGV[1], ARGV[2], tonumber(ARGV[3])
local window, reach = tonumber(ARGV[4]), tonumber(ARGV[5])
local ids, marks = 5, 5 + n
local verdict = {}

local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- The fence: an outcome counts only while this consumer owns the pending entry. One range over the own pending
-- entries answers for the whole batch, unless more are pending than were asked for.
local own = call('XPENDING', stream, group, ARGV[ids + 1], ARGV[ids + n], reach, consumer)
local exact = #own == n
for i = 1, n do
  if not exact or own[i][1] ~= ARGV[ids + i] then exact = false break end
end
if not exact then
  local mine = {}
  for i = 1, #own do mine[own[i][1]] = true end
  for i = 1, n do
    local id = ARGV[ids + i]
    if not mine[id] and
       (#own < reach or #call('XPENDING', stream, group, id, id, 1, consumer) == 0) then
      verdict[i] = 'fenced'
    end
  end
end

-- Messages with a key that has taken effect before are acknowledged and nothing else.
local number = math.floor(now / window)
local current, previous = seen .. number, seen .. (number - 1)
local asked, at = {}, {}
for i = 1, n do
  local mark = ARGV[marks + i]
  if mark ~= '' and not verdict[i] then
    asked[#asked + 1] = mark
    at[#asked] = i
  end
end
if #asked > 0 then
  local a = call('SMISMEMBER', current, unpack(asked))
  local b = call('SMISMEMBER', previous, unpack(asked))
  for j = 1, #asked do
    if a[j] == 1 or b[j] == 1 then verdict[at[j]] = 'duplicate' end
  end
end

-- Whatever can fail (a full memory, a key of another type, a missing permission) is tried before the entry is
-- acknowledged, and undone if a later part of the same outcome fails: each outcome is all or nothing.
local acked, left = {}, {}
local added_keys, added_ids = {}, {}
local p = marks + n
for i = 1, n do
  local kind, q = ARGV[p + 1], p + 2
  local stop = q + tonumber(ARGV[q])
  if not verdict[i] and kind ~= 'x' then
    local failed
    if kind == 'r' or kind == 'l' then
      local due = tonumber(ARGV[q + 1])
      if kind == 'r' then due = now + due end
      local message = cmsgpack.pack({unpack(ARGV, q + 2, stop)})
      local reply = pcall('ZADD', delayed, due, message)
      if type(reply) == 'table' then failed = reply.err end
    else
      local added = 0
      if kind == 'd' then
        local count = tonumber(ARGV[q + 1])
        local reply = pcall('XADD', dead, '*', unpack(ARGV, q + 2, q + 1 + count))
        if type(reply) == 'table' then
          failed = reply.err
        else
          added, added_keys[1], added_ids[1] = 1, dead, reply
        end
        q = q + 1 + count
      end
      while not failed and q < stop do
        local key, count = KEYS[tonumber(ARGV[q + 1])], tonumber(ARGV[q + 2])
        local reply = pcall('XADD', key, '*', unpack(ARGV, q + 3, q + 2 + count))
        if type(reply) == 'table' then
          failed = reply.err
        else
          added = added + 1
          added_keys[added], added_ids[added] = key, reply
        end
        q = q + 2 + count
      end
      if failed then
        for j = 1, added do call('XDEL', added_keys[j], added_ids[j]) end
      end
    end
    if failed then
      verdict[i] = 'error ' .. failed
    elseif ARGV[marks + i] ~= '' then
      left[#left + 1] = ARGV[marks + i]
    end
  end
  if not verdict[i] or verdict[i] == 'duplicate' then acked[#acked + 1] = ARGV[ids + i] end
  p = stop
end

if #acked > 0 then call('XACK', stream, group, unpack(acked)) end
if #left > 0 then
  call('SADD', current, unpack(left))
  if call('PTTL', current) < 0 then call('PEXPIRE', current, 3 * window) end
end

local exceptions = {}
for i = 1, n do
  if verdict[i] then exceptions[#exceptions + 1] = {i, verdict[i]} end
end
return exceptions
