-- Asks whether it is these messages' turn, and parks those that have to wait.
--
-- KEYS  1 stream, 2 order, 3 turn, 4 parked
-- ARGV  1 group, 2 consumer, 3 the field with the ordering key, 4 how many entries to look at, then for each message in ascending
--       order: id, id of its first delivery, ordering key
-- Returns {1 if there is more to look at before anything can be said, for each message 'go', 'wait' or 'gone'}
local stream, order, turn, parked = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local group, me, name = ARGV[1], ARGV[2], ARGV[3]

local function is_mine(id)
  return #redis.call('XPENDING', stream, group, id, id, 1, me) == 1
end

-- Entries are delivered in their order, but not everybody asks in that order. So whoever asks first registers what others were given
-- before, up to its own last entry; one that is not pending may be from before the group was lost, and what comes before it may be yet
-- to be delivered.
local till
for i = #ARGV - 2, 5, -3 do
  if is_mine(ARGV[i]) then
    till = ARGV[i]
    break
  end
end
local seen = redis.call('HGET', turn, '') or '0-0'
if till and pad(till) > pad(seen) then
  -- Everything before the oldest pending entry is done.
  local oldest = redis.call('XPENDING', stream, group)[2]
  local from = '(' .. seen
  if pad(oldest) > pad(seen) then from = oldest end
  local found = redis.call('XRANGE', stream, from, till, 'COUNT', ARGV[4])
  for _, entry in ipairs(found) do
    local fields = entry[2]
    for i = 1, #fields, 2 do
      if fields[i] == name then
        -- One that is not pending was set aside without being handled.
        if fields[i + 1] ~= '' and is_pending(stream, group, entry[1]) then
          redis.call('ZADD', order, 'NX', 0, redis.sha1hex(fields[i + 1]) .. '/' .. pad(entry[1]))
        end
        break
      end
    end
  end
  if #found == tonumber(ARGV[4]) then
    redis.call('HSET', turn, '', found[#found][1])
    return {1}
  end
  redis.call('HSET', turn, '', till)
end

local answers = {0}
for i = 5, #ARGV, 3 do
  local id, first, key = ARGV[i], ARGV[i + 1], redis.sha1hex(ARGV[i + 2])
  local member, answer = key .. '/' .. pad(id), 'wait'
  if redis.call('ZSCORE', parked, pad(id) .. ' ' .. key) then
    answer = 'wait'
  elseif not is_mine(id) then
    -- Done, or another consumer's by now: after a lost answer to the same question, say.
    answer = 'gone'
    if not is_pending(stream, group, id) then redis.call('ZREM', order, member) end
  else
    local whose = holder(stream, group, turn, key)
    if not whose then
      redis.call('ZADD', order, 'NX', 0, member)
      pass_on(stream, group, order, turn, parked, key, leave_to_anyone(stream, group, me))
      whose = redis.call('HGET', turn, key)
      if not whose and next_in_line(stream, group, order, parked, key) == id then whose = id end
    end
    if whose == id or whose == first .. ' -' then
      redis.call('HSET', turn, key, id)
      redis.call('ZREM', order, member)
      answer = 'go'
    else
      redis.call('ZADD', order, 'NX', 0, member)
      redis.call('ZADD', parked, 0, pad(id) .. ' ' .. key)
      redis.call('XACK', stream, group, id)
    end
  end
  answers[#answers + 1] = answer
end
return answers
