-- Puts a dead letter back into its stream as a new entry, with its original fields, and forgets its deduplication mark.
--
-- KEYS  1 stream, 2 dead letters, 3 name of the deduplication sets without the window's number
-- ARGV  1 id of the dead letter, 2 deduplication window in ms
-- Returns the new id, or false if there is no such dead letter.
local found = redis.call('XRANGE', KEYS[2], ARGV[1], ARGV[1])[1]
if not found then return false end

local ours = {
  deadreason = true, deaddetail = true, deadstream = true, deadid = true, deadgroup = true, deadconsumer = true,
  deaddeliveries = true, deadtime = true, deadmark = true,
}
local fields, mark = {}, nil
for i = 1, #found[2], 2 do
  local name, value = found[2][i], found[2][i + 1]
  if name == 'deadmark' then mark = value end
  if not ours[name] then
    fields[#fields + 1] = name
    fields[#fields + 1] = value
  end
end
if #fields == 0 then return redis.error_reply('ERR the dead letter has no fields of its own') end

local id = redis.call('XADD', KEYS[1], '*', unpack(fields))
if mark then
  local raw = string.gsub(mark, '%x%x', function(hex) return string.char(tonumber(hex, 16)) end)
  local time = redis.call('TIME')
  local window = tonumber(ARGV[2])
  local number = math.floor((time[1] * 1000 + math.floor(time[2] / 1000)) / window)
  redis.call('SREM', KEYS[3] .. number, raw)
  redis.call('SREM', KEYS[3] .. (number - 1), raw)
  redis.call('SREM', KEYS[3] .. (number + 1), raw)
end
redis.call('XDEL', KEYS[2], ARGV[1])
return id
