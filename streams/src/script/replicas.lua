-- Tells who reads a lane: the registered, and whoever is in a group without being registered; and what each one holds.
--
-- KEYS  1 stream, 2 workers
-- ARGV  1 of how many entries that each one holds to tell, the oldest first
-- Returns {now in ms, {group, consumer, what is registered or '', pending, {id, idle in ms, deliveries}…}…}
local stream, workers = KEYS[1], KEYS[2]
local time = redis.call('TIME')
local all = {time[1] * 1000 + math.floor(time[2] / 1000)}

local function members(list)
  local map = {}
  for i = 1, #list, 2 do map[list[i]] = list[i + 1] end
  return map
end

local present = {}
local groups = redis.call('EXISTS', stream) == 1 and redis.call('XINFO', 'GROUPS', stream) or {}
for _, info in ipairs(groups) do
  local group = members(info).name
  for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
    local c = members(consumer)
    local field = group .. '/' .. c.name
    present[field] = true
    local one = {group, c.name, redis.call('HGET', workers, field) or '', c.pending}
    if c.pending > 0 then
      for _, held in ipairs(redis.call('XPENDING', stream, group, '-', '+', ARGV[1], c.name)) do
        one[#one + 1] = {held[1], held[3], held[4]}
      end
    end
    all[#all + 1] = one
  end
end
local registry = redis.call('HGETALL', workers)
for i = 1, #registry, 2 do
  local group, name = string.match(registry[i], '^([^/]*)/(.*)$')
  if group and not present[registry[i]] then all[#all + 1] = {group, name, registry[i + 1], 0} end
end
return all
