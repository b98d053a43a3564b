-- Creates the group if it is missing, from where it had come to; from the beginning if that is not known.
--
-- KEYS  1 stream, 2 cursor, 3 fence, 4 order, 5 turn, 6 parked
-- ARGV  1 group
-- Returns where the group begins if it was created, otherwise ''.
-- Asked first: with a full memory Redis refuses to create even what exists.
if redis.call('EXISTS', KEYS[1]) == 1 then
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    for i = 1, #group, 2 do
      if group[i] == 'name' and group[i + 1] == ARGV[1] then return '' end
    end
  end
end

local from = redis.call('HGET', KEYS[2], ARGV[1]) or '0-0'

-- A stream that was lost and begun anew has not come that far: everything in it is new.
local last = '0-0'
if redis.call('EXISTS', KEYS[1]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[1])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then last = info[i + 1] end
  end
end
local fm, fs = string.match(from, '^(%d+)-(%d+)$')
local lm, ls = string.match(last, '^(%d+)-(%d+)$')
local anew = tonumber(fm) > tonumber(lm) or (fm == lm and tonumber(fs) > tonumber(ls))
if anew then from = '0-0' end

local reply = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], from, 'MKSTREAM')
if reply.err then return reply end
-- What was delivered from the lost group is nobody's any more, and will be delivered again, in its order. What is retried stands further
-- back than its place, or outside the stream: it keeps its turn, unless the stream was lost and it with it.
redis.call('DEL', KEYS[4], KEYS[6])
local turns = redis.call('HGETALL', KEYS[5])
for i = 1, #turns, 2 do
  local key, id = turns[i], turns[i + 1]
  local kept
  if string.sub(id, -2) == ' -' then
    kept = id
  elseif key ~= '' then
    -- Asked for from where the group begins: what is before that does not come again.
    local entry = pad(id) > pad(from) and redis.call('XRANGE', KEYS[1], id, id)[1]
    local fields = entry and entry[2] or {}
    for j = 1, #fields, 2 do
      if fields[j] == 'retryof' then kept = fields[j + 1] .. ' -' end
    end
  end
  if anew or not kept then
    redis.call('HDEL', KEYS[5], key)
  elseif kept ~= id then
    redis.call('HSET', KEYS[5], key, kept)
  end
end
local tokens = redis.call('HGETALL', KEYS[3])
for i = 1, #tokens, 2 do
  if string.sub(tokens[i], 1, #ARGV[1] + 1) == ARGV[1] .. '/' then redis.call('HDEL', KEYS[3], tokens[i]) end
end
return from
