-- Commits a batch of outcomes in one step.
--
-- KEYS  1 stream, 2 name of the deduplication sets without the window's number, 3 delayed, 4 dead letters, 5 fence,
--       6 order, 7 turn, 8 parked, 9… streams to append to
-- ARGV  1 group, 2 consumer, 3 n, 4 deduplication window in ms, 5 how many pending entries to read at once,
--       6 the consumer's fence token or '', 7 '1' to look every entry up all the same, 8 '1' if every outcome has a mark,
--       9 s, then s shapes: index of a stream in KEYS, number of names, names…
--       then n entry ids in ascending order, then n deduplication marks ('' for none),
--       then how many of them have an ordering key, and for each of those: index, the key, id of the first delivery, '1' if it was
--       handled when it was its turn,
--       then n records:
--         a message                       done: this one follows
--         n, number, messages…            done: so many follow
--         r, wait in ms, count, message…  retry
--         l, due time in ms, count, message…
--         d, count, dead letter…, number, messages…
--         x                               acknowledge only
--       message: number of the shape, values…
-- Returns {1 if the token was good, entries that are this consumer's now since it is their turn,
--       {index, what} for each outcome that did not take effect: 'fenced', 'duplicate', or an error}.
--
-- It is the hottest piece of the fleet: what looks laboured below (numbers kept as the strings they came as, ranges of ARGV passed on
-- as they are) saves a third of the instructions.
local call, pcall, unpack, tonumber, type = redis.call, redis.pcall, unpack, tonumber, type
local stream, seen, delayed, dead, fence = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local group, consumer, n = ARGV[1], ARGV[2], tonumber(ARGV[3])
local window, reach, token = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
-- What did not take effect, and whether there is any.
local verdict, clean = {}, true

-- Each shape is the arguments of an XADD, with room for the values.
local p, shapes, sizes = 9, {}, {}
for s = 1, tonumber(ARGV[9]) do
  local count = tonumber(ARGV[p + 2])
  local arguments = {KEYS[tonumber(ARGV[p + 1])], '*'}
  for j = 1, count do
    arguments[2 * j + 1] = ARGV[p + 2 + j]
    arguments[2 * j + 2] = ''
  end
  shapes[tostring(s)], sizes[tostring(s)] = arguments, 2 + 2 * count
  p = p + 2 + count
end
local ids, marks, keyed = p, p + n, p + 2 * n + 1
p = keyed + 4 * tonumber(ARGV[keyed])

local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- The fence: an outcome counts only while this consumer owns the pending entry. Whoever takes an entry away deletes the token
-- of the consumer that had it; with its token unchanged, a consumer still owns whatever it was given. Otherwise each entry
-- is looked up: one range over the own pending entries answers for all, unless more are pending than were asked for.
local field = group .. '/' .. consumer
local known = call('HGET', fence, field)
local good = known == token
local trusted = good and ARGV[7] == '0'
if not trusted then
  local own = call('XPENDING', stream, group, ARGV[ids + 1], ARGV[ids + n], reach, consumer)
  local mine = {}
  for i = 1, #own do mine[own[i][1]] = true end
  for i = 1, n do
    local id = ARGV[ids + i]
    if not mine[id] and
       (#own < reach or #call('XPENDING', stream, group, id, id, 1, consumer) == 0) then
      verdict[i], clean = 'fenced', false
    end
  end
end

-- It counts only if it still is its turn: after the group was lost everything is delivered again, and turns are given anew. What is
-- fenced for this alone will be found idle, and asks for its turn again.
local key_of = {}
for j = keyed + 1, keyed + 4 * tonumber(ARGV[keyed]), 4 do
  local i, key = tonumber(ARGV[j]), redis.sha1hex(ARGV[j + 1])
  key_of[i] = key
  if ARGV[j + 3] == '1' and not verdict[i] and call('HGET', KEYS[7], key) ~= ARGV[ids + i] then
    verdict[i], clean = 'fenced', false
  end
end

-- Messages with a key that has taken effect before are acknowledged and nothing else.
local number = math.floor(now / window)
local current, previous, following = seen .. number, seen .. (number - 1), seen .. (number + 1)
local all_marked = ARGV[8] == '1'
local asked = {}
if not all_marked then
  for i = 1, n do
    if ARGV[marks + i] ~= '' then asked[#asked + 1] = i end
  end
end
local function find(set)
  local found
  if all_marked then
    found = call('SMISMEMBER', set, unpack(ARGV, marks + 1, marks + n))
  else
    local values = {}
    for j = 1, #asked do values[j] = ARGV[marks + asked[j]] end
    found = call('SMISMEMBER', set, unpack(values))
  end
  for j = 1, #found do
    if found[j] == 1 then
      local i = all_marked and j or asked[j]
      verdict[i], clean = verdict[i] or 'duplicate', false
    end
  end
end
if all_marked or #asked > 0 then
  find(current)
  if call('EXISTS', previous) == 1 then find(previous) end
  -- A clock that was set back has left marks in the window that is to come.
  if call('EXISTS', following) == 1 then find(following) end
end

-- Outcomes whose messages are delivered again.
local again = {}

-- Whatever can fail (a full memory, a key of another type, a missing permission) is tried before the entry is
-- acknowledged, and undone if a later part of the same outcome fails: each outcome is all or nothing.
local added, added_keys, added_ids = 0, {}, {}
local function undo(from)
  for j = added, from + 1, -1 do
    if added_keys[j] == delayed then
      call('ZREM', delayed, added_ids[j])
    else
      call('XDEL', added_keys[j], added_ids[j])
    end
  end
  added = from
end
-- Takes note of what was added; says what went wrong if something did.
local function note(key, id)
  if type(id) == 'table' then return id.err end
  added = added + 1
  added_keys[added], added_ids[added] = key, id
end
-- Appends the message that begins after p, which moves to its end.
local function append(off)
  local arguments, size = shapes[ARGV[p + 1]], sizes[ARGV[p + 1]]
  p = p + 1
  if off then
    p = p + size / 2 - 1
    return
  end
  for j = 4, size, 2 do
    p = p + 1
    arguments[j] = ARGV[p]
  end
  return note(arguments[1], pcall('XADD', unpack(arguments, 1, size)))
end
for i = 1, n do
  local off, kind = verdict[i], ARGV[p + 1]
  local before, failed = added, nil
  if shapes[kind] then
    failed = append(off)
  elseif kind == 'r' or kind == 'l' then
    local due, count = tonumber(ARGV[p + 2]), tonumber(ARGV[p + 3])
    if not off then
      local message = cmsgpack.pack({unpack(ARGV, p + 4, p + 3 + count)})
      -- A worker whose clock is behind finds early what is due here; it is not to find it again at once.
      local at = kind == 'r' and now + due or math.max(due, now + 20)
      local reply = pcall('ZADD', delayed, at, message)
      -- The same commit may be sent twice, by a client for a cluster: what the first one put there is not the second one's to undo.
      if reply ~= 0 then failed = note(delayed, type(reply) == 'table' and reply or message) end
    end
    p = p + 3 + count
    again[i] = kind == 'r'
  elseif kind == 'x' then
    p = p + 1
  else
    if kind == 'd' then
      local count = tonumber(ARGV[p + 2])
      if not off then
        failed = note(dead, pcall('XADD', dead, '*', unpack(ARGV, p + 3, p + 2 + count)))
      end
      p = p + 1 + count
    end
    local messages = tonumber(ARGV[p + 2])
    p = p + 2
    for _ = 1, messages do failed = append(off or failed) or failed end
  end
  if failed then
    undo(before)
    verdict[i], clean = 'error ' .. failed, false
  end
end

local acked = n
if clean then
  acked = call('XACK', stream, group, unpack(ARGV, ids + 1, ids + n))
else
  local ours = {}
  for i = 1, n do
    if not verdict[i] or verdict[i] == 'duplicate' then ours[#ours + 1] = ARGV[ids + i] end
  end
  if #ours > 0 then acked = call('XACK', stream, group, unpack(ours)) end
end
if acked == 0 then
  -- Done already, by an earlier sending of the same; or the group is not the one that these entries were delivered to.
  undo(0)
  for i = 1, n do verdict[i] = 'fenced' end
  clean = false
else
  if clean and all_marked then
    call('SADD', current, unpack(ARGV, marks + 1, marks + n))
  else
    local left = {}
    for i = 1, n do
      if not verdict[i] and ARGV[marks + i] ~= '' then left[#left + 1] = ARGV[marks + i] end
    end
    if #left > 0 then call('SADD', current, unpack(left)) end
  end
  if call('PTTL', current) == -1 then call('PEXPIRE', current, 3 * window) end
  -- A process that asks with another token than the present one may hold what was just acknowledged a second time.
  if known and known ~= token then call('HDEL', fence, field) end
end

local handed = {}
local function hand_over(id)
  local entry = call('XCLAIM', stream, group, consumer, 0, id, 'RETRYCOUNT', 1, 'FORCE')[1]
  handed[#handed + 1] = entry
  return entry
end
for j = keyed + 1, keyed + 4 * tonumber(ARGV[keyed]), 4 do
  local i = tonumber(ARGV[j])
  if acked > 0 and (not verdict[i] or verdict[i] == 'duplicate') then
    local order, turn, parked = KEYS[6], KEYS[7], KEYS[8]
    local id, key = ARGV[ids + i], key_of[i]
    -- One that was waiting for this delivery may be done with before anybody asked for its turn: it has expired, say.
    local whose, waiting = call('HGET', turn, key), ARGV[j + 2] .. ' -'
    if whose ~= id then call('ZREM', order, key .. '/' .. pad(id)) end
    if whose == id or whose == waiting then
      if again[i] then
        pcall('HSET', turn, key, waiting)
      else
        call('HDEL', turn, key)
      end
    end
    if not holder(stream, group, turn, key) then
      pass_on(stream, group, order, turn, parked, key, hand_over)
    end
  end
end

local answer = {good and 1 or 0, handed}
if not clean then
  for i = 1, n do
    if verdict[i] then answer[#answer + 1] = {i, verdict[i]} end
  end
end
return answer
