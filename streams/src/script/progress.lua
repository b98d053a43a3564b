-- Publishes what a handler has to say before it is done: once for each mark, and only while its consumer owns the entry.
--
-- KEYS  1 stream, 2 name of the deduplication sets without the window's number, 3… streams to append to
-- ARGV  1 group, 2 consumer, 3 id of the pending entry, 4 deduplication window in ms, 5 mark, 6 '1' to ask only,
--       then for each message: index of a stream in KEYS, number of arguments that follow, name, value, …
-- Returns 'lost', 'duplicate', 'published' (asking only: 'new'), or 'error …', after which nothing of it has happened.
--
-- The fence token is not asked for: this comes once in minutes, and a look-up of one entry is right without any.
local stream, seen, window, mark = KEYS[1], KEYS[2], tonumber(ARGV[4]), ARGV[5]
if #redis.call('XPENDING', stream, ARGV[1], ARGV[3], ARGV[3], 1, ARGV[2]) == 0 then return 'lost' end

local time = redis.call('TIME')
local number = math.floor((time[1] * 1000 + math.floor(time[2] / 1000)) / window)
-- A clock that was set back has left marks in the window that is to come.
for _, of in ipairs({number, number - 1, number + 1}) do
  if redis.call('SMISMEMBER', seen .. of, mark)[1] == 1 then return 'duplicate' end
end
if ARGV[6] == '1' then return 'new' end

-- All or nothing, as in commit.lua.
local added = {}
local function undo(failed)
  for _, of in ipairs(added) do redis.call('XDEL', of[1], of[2]) end
  return 'error ' .. failed.err
end
local p = 7
while p <= #ARGV do
  local key, stop = KEYS[tonumber(ARGV[p])], p + 1 + tonumber(ARGV[p + 1])
  local id = redis.pcall('XADD', key, '*', unpack(ARGV, p + 2, stop))
  if type(id) == 'table' then return undo(id) end
  added[#added + 1] = {key, id}
  p = stop + 1
end
local current = seen .. number
local marked = redis.pcall('SADD', current, mark)
if type(marked) == 'table' then return undo(marked) end
if redis.call('PTTL', current) == -1 then redis.call('PEXPIRE', current, 3 * window) end
return 'published'
