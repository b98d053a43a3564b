-- Turns: messages with the same ordering key are handled one after the other. Stands before the scripts that need it.
--
-- Per stream and group: `order`, a sorted set of who waits, '<sha1 of the key>/<id, padded>'; `turn`, a hash from the sha1 to the id
-- whose turn it is, or to '<first id> -' while that message waits for another delivery, and from '' to the id up to which
-- entries were looked at; `parked`, a sorted set of those who wait outside the pending list, '<id, padded> <sha1>'.
local function pad(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return string.rep('0', 20 - #ms) .. ms .. '-' .. string.rep('0', 20 - #seq) .. seq
end

local function unpad(padded)
  local ms, seq = string.match(padded, '^0*(%d+)-0*(%d+)')
  return ms .. '-' .. seq
end

local function is_pending(stream, group, id)
  return #redis.call('XPENDING', stream, group, id, id, 1) == 1
end

-- Whose turn it is, or false. A message that somebody acknowledged or deleted by hand has had its turn.
local function holder(stream, group, turn, key)
  local id = redis.call('HGET', turn, key)
  if id and string.sub(id, -2) ~= ' -' and not is_pending(stream, group, id) then
    redis.call('HDEL', turn, key)
    return false
  end
  return id
end

-- Who waits longest: its id, and whether it is parked.
local function next_in_line(stream, group, order, parked, key)
  while true do
    local member = redis.call('ZRANGEBYLEX', order, '[' .. key .. '/', '(' .. key .. '0', 'LIMIT', 0, 1)[1]
    if not member then return false end
    local padded = string.sub(member, #key + 2)
    local id = unpad(padded)
    if redis.call('ZSCORE', parked, padded .. ' ' .. key) then return id, true end
    if is_pending(stream, group, id) then return id, false end
    redis.call('ZREM', order, member)
  end
end

-- Gives a free turn to whoever waits longest, if that one is parked; one that is in somebody's hands will ask for it. `claim` puts
-- it back into the pending list and says whether it still exists.
local function pass_on(stream, group, order, turn, parked, key, claim)
  while true do
    local id, is_parked = next_in_line(stream, group, order, parked, key)
    if not is_parked then return end
    -- With a full memory it stays parked, and a later look finds it.
    if type(redis.pcall('HSET', turn, key, id)) == 'table' then return end
    redis.call('ZREM', order, key .. '/' .. pad(id))
    redis.call('ZREM', parked, pad(id) .. ' ' .. key)
    if claim(id) then return end
    redis.call('HDEL', turn, key)
  end
end

-- A claim for whoever comes first: it looks as if its owner had been gone for long, and counts as not yet delivered.
local function leave_to_anyone(stream, group, consumer)
  return function(id)
    return #redis.call('XCLAIM', stream, group, consumer, 0, id, 'IDLE', 86400000, 'RETRYCOUNT', 0, 'FORCE', 'JUSTID') == 1
  end
end

