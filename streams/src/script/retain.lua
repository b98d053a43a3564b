-- Trims a stream to what came within a time, but never what a group has not read or not acknowledged.
--
-- KEYS  1 stream
-- ARGV  1 retention in ms
-- Returns how many entries were trimmed.
local stream, retention = KEYS[1], tonumber(ARGV[1])
if redis.call('EXISTS', stream) == 0 then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function parts(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end
local function before(a, b)
  local am, as = parts(a)
  local bm, bs = parts(b)
  return am < bm or (am == bm and as < bs)
end

local cut = string.format('%.0f-0', math.max(0, now - retention))
for _, info in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
  local group = {}
  for i = 1, #info, 2 do group[info[i]] = info[i + 1] end
  local needed = group['last-delivered-id']
  if group.pending > 0 then needed = redis.call('XPENDING', stream, group.name)[2] end
  if before(needed, cut) then cut = needed end
end
if cut == '0-0' then return 0 end
return redis.call('XTRIM', stream, 'MINID', '~', cut)
