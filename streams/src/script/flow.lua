-- Tells how much has gone through a lane, and how late its groups are.
--
-- KEYS  1 stream, 2 what the parked sets' names begin with
-- Returns {now in ms, entries ever added, {group, pending, lag as Redis has it or -1, id of the oldest entry not done with or ''}…}
local stream = KEYS[1]
local time = redis.call('TIME')
local all = {time[1] * 1000 + math.floor(time[2] / 1000), 0}
if redis.call('EXISTS', stream) == 0 then return all end

local function members(list)
  local map = {}
  for i = 1, #list, 2 do map[list[i]] = list[i + 1] end
  return map
end

all[2] = members(redis.call('XINFO', 'STREAM', stream))['entries-added'] or 0
for _, info in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
  local group = members(info)
  local oldest
  local function consider(id)
    if id and (not oldest or pad(id) < pad(oldest)) then oldest = id end
  end
  if group.pending > 0 then consider(redis.call('XPENDING', stream, group.name)[2]) end
  local next = redis.call('XRANGE', stream, '(' .. group['last-delivered-id'], '+', 'COUNT', 1)[1]
  if next then consider(next[1]) end
  local parked = redis.call('ZRANGE', KEYS[2] .. group.name, 0, 0)[1]
  if parked then consider(unpad(parked)) end
  all[#all + 1] = {group.name, group.pending, group.lag or -1, oldest or ''}
end
return all
