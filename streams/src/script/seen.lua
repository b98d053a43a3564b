-- Tells which keys have taken effect already.
--
-- KEYS  1 name of the deduplication sets without the window's number
-- ARGV  1 deduplication window in ms, then the marks
-- Returns 1 or 0 for each mark.
local time = redis.call('TIME')
local number = math.floor((time[1] * 1000 + math.floor(time[2] / 1000)) / tonumber(ARGV[1]))
local a = redis.call('SMISMEMBER', KEYS[1] .. number, unpack(ARGV, 2))
-- A clock that was set back has left marks in the window that is to come.
for _, other in ipairs({number - 1, number + 1}) do
  local b = redis.call('SMISMEMBER', KEYS[1] .. other, unpack(ARGV, 2))
  for i = 1, #a do
    if b[i] == 1 then a[i] = 1 end
  end
end
return a
