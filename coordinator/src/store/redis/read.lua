-- Reads stored runs of outputs until there are bytes_max bytes or runs_max runs, at least one.
-- KEYS: runs, order. ARGV: `order` or `accepted`, where to begin, bytes_max, runs_max.
-- By shard: `from`, the run that holds it included. As accepted: behind this sequence number.
local RUNS, ORDER = KEYS[1], KEYS[2]
local from, bytes_max, runs_max = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local found, bytes = {}, 0
local function add(sequence)
  local value = redis.call('HGET', RUNS, sequence)
  if not value then return false end
  found[#found + 1] = value
  bytes = bytes + #value
  return bytes < bytes_max and #found < runs_max
end
if ARGV[1] == 'accepted' then
  local sequence = from + 1
  while add(string.format('%.0f', sequence)) do sequence = sequence + 1 end
  return found
end
local before = redis.call('ZREVRANGEBYSCORE', ORDER, from - 1, '-inf', 'LIMIT', 0, 1)[1]
if before then
  local value = redis.call('HGET', RUNS, before)
  local first, count = struct.unpack('<I4I4', value)
  if first + count > from and not add(before) then return found end
end
local skip = 0
while true do
  local page = redis.call('ZRANGEBYSCORE', ORDER, from, '+inf', 'LIMIT', skip, 64)
  for _, sequence in ipairs(page) do
    if not add(sequence) then return found end
  end
  if #page < 64 then return found end
  skip = skip + 64
end
