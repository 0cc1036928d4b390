-- Operations on one job, in order, as one step: whatever is checked here still holds when it is written.
--
-- KEYS: meta, settled, claims, left, runs, order, failed, errors, chunks, appends (all of one job).
--   meta     hash: state, counts, cut
--   settled  bitmap: shards accepted or failed for good; shard s is bit s % 8 of byte s / 8
--   claims   hash: claim (8 bytes, the first 4 say whose) -> shards unsettled, then its runs
--   left     list of runs that wait for a claim
--   runs     hash: sequence number -> outputs of a run
--   order    sorted set: sequence numbers by first shard
--   failed   hash: shard -> items, cause, detail
--   errors   hash: group of failed attempts -> count, shard, time, cause, detail
--   chunks   sorted set: items in blobs by first item
--   appends  hash: appends of the last hour by name, so that one sent twice is stored once
-- ARGV: groups_max, claim_runs_max, shards_max, chunks_max, items_max, then the operations.
-- Returns one answer for each operation, and last how the job stands.
local META, SETTLED, CLAIMS, LEFT, RUNS = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local ORDER, FAILED, ERRORS, CHUNKS, APPENDS = KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10]
local GROUPS_MAX, CLAIM_RUNS_MAX = tonumber(ARGV[1]), tonumber(ARGV[2])
local SHARDS_MAX, CHUNKS_MAX, ITEMS_MAX = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local QUEUED, RUNNING, PAUSED, CANCELING, SUCCEEDED, FAILED_STATE, CANCELED = 0, 1, 2, 3, 4, 5, 6
local pack, unpack_at, call = struct.pack, struct.unpack, redis.call
local floor, min, max, byte, sub, rep = math.floor, math.min, math.max, string.byte, string.sub, string.rep

-- Counts are read once and written once.
local FIELDS = {'state', 'items', 'closed', 'items_cut', 'shards_cut', 'accepted', 'items_accepted',
  'failed', 'skipped', 'busy_us', 'sequence', 'segments'}
local job, changed = nil, false
local function load_job()
  local values = call('HMGET', META, unpack(FIELDS))
  if not values[1] then return end
  job = {}
  for at, field in ipairs(FIELDS) do
    job[field] = field == 'segments' and values[at] or tonumber(values[at])
  end
end
local function save_job()
  if not job or not changed then return end
  local pairs_of = {}
  for _, field in ipairs(FIELDS) do
    pairs_of[#pairs_of + 1] = field
    local value = job[field]
    pairs_of[#pairs_of + 1] = field == 'segments' and value or string.format('%.0f', value)
  end
  call('HSET', META, unpack(pairs_of))
end
load_job()

local function is_over() return job.state >= SUCCEEDED end

-- The bitmap of settled shards, a window of bytes at a time.
local window_at, window = 0, nil
local function read_window(first, count)
  local low, high = floor(first / 8), floor((first + count - 1) / 8)
  local bytes = call('GETRANGE', SETTLED, low, high)
  local missing = high - low + 1 - #bytes
  if missing > 0 then bytes = bytes .. rep('\0', missing) end
  window_at, window = low * 8, {byte(bytes, 1, min(#bytes, 4096))}
  for from = 4097, #bytes, 4096 do
    local more = {byte(bytes, from, min(#bytes, from + 4095))}
    for at = 1, #more do window[from + at - 1] = more[at] end
  end
end
local POWERS = {1, 2, 4, 8, 16, 32, 64, 128}
local function is_settled(shard)
  local at = shard - window_at
  return floor(window[floor(at / 8) + 1] / POWERS[at % 8 + 1]) % 2 == 1
end
-- The runs within a run that are not settled: flat, first and count in turn.
local function gaps(first, count)
  read_window(first, count)
  local found, at, stop = {}, first, first + count
  while at < stop do
    local place = at - window_at
    local value = window[floor(place / 8) + 1]
    if place % 8 == 0 and value == 255 then
      at = at + 8
    elseif is_settled(at) then
      at = at + 1
    else
      local from = at
      while at < stop do
        place = at - window_at
        if place % 8 == 0 and window[floor(place / 8) + 1] == 0 then
          at = at + 8
        elseif is_settled(at) then
          break
        else
          at = at + 1
        end
      end
      at = min(at, stop)
      found[#found + 1] = from
      found[#found + 1] = at - from
    end
  end
  return found
end
-- Marks a run that lies in the window.
local function settle(first, count)
  local low, high = floor((first - window_at) / 8) + 1, floor((first + count - 1 - window_at) / 8) + 1
  for at = low, high do
    local base = window_at + (at - 1) * 8
    local from, to = max(first, base) - base, min(first + count, base + 8) - base
    -- The shards of a gap are unset, so that adding the bits sets them.
    window[at] = window[at] + (2 ^ to - 2 ^ from)
  end
  local parts = {}
  for at = low, high, 4096 do
    parts[#parts + 1] = string.char(unpack(window, at, min(high, at + 4095)))
  end
  call('SETRANGE', SETTLED, window_at / 8 + low - 1, table.concat(parts))
end

-- Claims that operations speak of: read once, written once.
local claims = {}
local function claim_of(name)
  local claim = claims[name]
  if claim == nil then
    local value = call('HGET', CLAIMS, name)
    claim = value and {left = unpack_at('<I4', value), runs = sub(value, 5)} or false
    claims[name] = claim
  end
  return claim
end
local function covers(claim, first, count)
  local at, stop = first, first + count
  for place = 1, #claim.runs, 8 do
    local from, shards = unpack_at('<I4I4', claim.runs, place)
    if from <= at and at < from + shards then at = from + shards end
    if at >= stop then return true end
  end
  return false
end
local function save_claims()
  for name, claim in pairs(claims) do
    if claim and claim.changed then
      if claim.left == 0 then
        call('HDEL', CLAIMS, name)
      else
        call('HSET', CLAIMS, name, pack('<I4', claim.left) .. claim.runs)
      end
    end
  end
end
-- What of a claim is not settled waits again.
local function give_up(name)
  local claim = claim_of(name)
  if not claim then return end
  for place = 1, #claim.runs, 8 do
    local found = gaps(unpack_at('<I4I4', claim.runs, place))
    for at = 1, #found, 2 do
      call('RPUSH', LEFT, pack('<I4I4', found[at], found[at + 1]))
    end
  end
  call('HDEL', CLAIMS, name)
  claims[name] = false
end
-- Whether a run may be settled under a claim, whole or in parts.
local function is_open(name, first, count)
  if not job or is_over() or count == 0 or first + count > job.shards_cut then return false end
  local claim = claim_of(name)
  return claim and covers(claim, first, count) -- the fence
end
local function count_settled(name, shards)
  local claim = claim_of(name)
  if claim then
    claim.left = max(0, claim.left - shards)
    claim.changed = true
  end
  changed = true
end

local function items_of(first, count)
  local segments, items, stop = job.segments, 0, first + count
  for place = 1, #segments, 16 do
    local from_shard, from_item, grain = unpack_at('<I4I8I4', segments, place)
    local to_shard, to_item = job.shards_cut, job.items_cut
    if place + 16 <= #segments then to_shard, to_item = unpack_at('<I4I8', segments, place + 16) end
    local low, high = max(first, from_shard), min(stop, to_shard)
    if low < high then
      items = items + min(from_item + (high - from_shard) * grain, to_item)
        - (from_item + (low - from_shard) * grain)
    end
  end
  return items
end

local function add_run(first, count, value, items, busy_us)
  settle(first, count)
  job.sequence = job.sequence + 1
  call('HSET', RUNS, job.sequence, value)
  call('ZADD', ORDER, first, job.sequence)
  job.accepted = job.accepted + count
  job.items_accepted = job.items_accepted + items
  job.busy_us = job.busy_us + busy_us
end

-- Cuts the part out of a run of outputs. Kinds: 0 equal lengths, 1 each its own, 2 the hash of a blob.
local function part_of(first, kind, lengths, data, from, count)
  if kind == 2 then return lengths, data end
  if kind == 0 then
    local length = unpack_at('<I4', lengths)
    local skip = (from - first) * length
    return lengths, sub(data, skip + 1, skip + count * length)
  end
  local skip, bytes, place = 0, 0, (from - first) * 4
  for at = 1, place, 4 do skip = skip + unpack_at('<I4', lengths, at) end
  lengths = sub(lengths, place + 1, place + count * 4)
  for at = 1, #lengths, 4 do bytes = bytes + unpack_at('<I4', lengths, at) end
  return lengths, sub(data, skip + 1, skip + bytes)
end

-- Added to a count that is less than was asked for under a claim that holds: the rest was settled under
-- it before.
local HOLDS = 4294967296
-- Twice that where it may have been settled by what was said again, for everybody.
local function holds()
  return call('HEXISTS', META, 'reasserted') == 1 and HOLDS * 2 or HOLDS
end
local function accept(head, lengths, data)
  local first, count, items, busy_us, kind, name = unpack_at('<I4I4I8I8Bc8', head)
  if not is_open(name, first, count) then return 0 end
  local found = gaps(first, count)
  if found[2] == count then
    add_run(first, count, pack('<I4I4B', first, count, kind) .. lengths .. data, items, busy_us)
    count_settled(name, count)
    return count
  end
  local accepted = 0
  for at = 1, #found, 2 do
    local from, shards = found[at], found[at + 1]
    local some_lengths, some_data = part_of(first, kind, lengths, data, from, shards)
    local value = pack('<I4I4B', from, shards, kind) .. some_lengths .. some_data
    add_run(from, shards, value, items_of(from, shards), floor(busy_us * shards / count))
    accepted = accepted + shards
  end
  if accepted > 0 then count_settled(name, accepted) end
  return accepted + holds()
end

local function fail(head, detail)
  local shard, first_item, end_item, cause, skipped, name = unpack_at('<I4I8I8BBc8', head)
  if not is_open(name, shard, 1) then return 0 end
  if #gaps(shard, 1) == 0 then return holds() end
  settle(shard, 1)
  local field = skipped == 1 and 'skipped' or 'failed'
  job[field] = job[field] + 1
  call('HSET', FAILED, shard, pack('<I8I8B', first_item, end_item, cause) .. detail)
  count_settled(name, 1)
  return 1
end

local function note_failure(head, headline, detail)
  if not job then return 0 end
  local cause, shard, time_ms = unpack_at('<BI4I8', head)
  local group = pack('B', cause) .. headline
  local before = call('HGET', ERRORS, group)
  if not before and call('HLEN', ERRORS) >= GROUPS_MAX then
    group = pack('B', cause)
    before = call('HGET', ERRORS, group)
  end
  local count = before and unpack_at('<I8', before) or 0
  call('HSET', ERRORS, group, pack('<I8I4I8B', count + 1, shard, time_ms, cause) .. detail)
  return 0
end

local function take_left(shards_max)
  local taken, count = {}, 0
  while count < shards_max and #taken < CLAIM_RUNS_MAX do
    local value = call('LPOP', LEFT)
    if not value then break end
    local first, shards = unpack_at('<I4I4', value)
    local some = min(shards, shards_max - count)
    if some < shards then call('LPUSH', LEFT, pack('<I4I4', first + some, shards - some)) end
    taken[#taken + 1] = pack('<I4I4', first, some)
    count = count + some
  end
  return taken, count
end
-- The same arithmetic as protocol::cut::Cut::take.
local function take_fresh(shards_max, grain)
  grain = max(grain, 1)
  local items_left = max(0, job.items - job.items_cut)
  local count = min(math.ceil(items_left / grain), shards_max, max(0, SHARDS_MAX - job.shards_cut))
  if count <= 0 then return nil end
  local fits = false
  if #job.segments > 0 then
    local first_shard, first_item, last_grain = unpack_at('<I4I8I4', job.segments, #job.segments - 15)
    fits = last_grain == grain and first_item + (job.shards_cut - first_shard) * grain == job.items_cut
  end
  if not fits then
    job.segments = job.segments .. pack('<I4I8I4', job.shards_cut, job.items_cut, grain)
  end
  local run = pack('<I4I4', job.shards_cut, count)
  job.shards_cut = job.shards_cut + count
  job.items_cut = min(job.items, job.items_cut + count * grain)
  changed = true
  return run, count
end
local function claim(head)
  local shards_max, grain, name = unpack_at('<I4I4c8', head)
  if not job or is_over() or job.state == CANCELING then return '' end
  -- The same claim again: its answer was lost on the way.
  local before = claim_of(name)
  if before then return before.runs end
  local runs, count = take_left(shards_max)
  local run, fresh = take_fresh(shards_max - count, grain)
  if run then
    runs[#runs + 1] = run
    count = count + fresh
  end
  runs = table.concat(runs)
  if count > 0 then claims[name] = {left = count, runs = runs, changed = true} end
  return runs
end

-- 1 where the id belongs to a job with another record.
local function add_job(head, record, chunk)
  if job then return call('HGET', META, 'record') == record and 0 or 1 end
  local items, closed = unpack_at('<I8B', head)
  job = {state = QUEUED, items = items, closed = closed, items_cut = 0, shards_cut = 0, accepted = 0,
    items_accepted = 0, failed = 0, skipped = 0, busy_us = 0, sequence = 0, segments = ''}
  call('HSET', META, 'record', record)
  if #chunk > 0 then call('ZADD', CHUNKS, 0, chunk) end
  changed = true
  return 0
end
local function append(head, name)
  if not job then return -1 end
  local items, blob = unpack_at('<I8c32', head)
  local before = call('HGET', APPENDS, name)
  if before then return tonumber(before) end
  local is_full = job.items + items > ITEMS_MAX or call('ZCARD', CHUNKS) >= CHUNKS_MAX
  if job.closed == 1 or job.state >= CANCELING or is_full then return -1 end
  local first_item = job.items
  job.items = first_item + items
  changed = true
  if items > 0 then call('ZADD', CHUNKS, first_item, pack('<I8I8', first_item, items) .. blob) end
  call('HSET', APPENDS, name, string.format('%.0f', first_item))
  call('EXPIRE', APPENDS, 3600)
  return first_item
end
local function close()
  if job and not is_over() then
    job.closed = 1
    changed = true
  end
  return 0
end

local function is_complete()
  return job.closed == 1 and job.items_cut == job.items and job.accepted + job.skipped == job.shards_cut
end
-- The same rules as life.rs.
local function may_follow(to)
  if is_over() or job.state == to then return false end
  if job.state == CANCELING then return to == CANCELED end
  if to == QUEUED then return job.state == PAUSED end
  return to ~= SUCCEEDED or is_complete()
end
local function set_state(head, reason)
  local to, has_reason, time_ms = unpack_at('<BBI8', head)
  if not job or not may_follow(to) then return 0 end
  job.state = to
  changed = true
  time_ms = string.format('%.0f', time_ms)
  if has_reason == 1 then call('HSET', META, 'reason', reason) else call('HDEL', META, 'reason') end
  if to == RUNNING then call('HSETNX', META, 'started_ms', time_ms) end
  if is_over() then
    call('HSET', META, 'ended_ms', time_ms)
    -- No claim outlives its job.
    call('DEL', CLAIMS, LEFT)
    claims = {}
  end
  return 0
end
local function retry()
  if not job or job.state == CANCELING or job.state == CANCELED then return 0 end
  if job.state == SUCCEEDED and job.skipped == 0 then return 0 end
  local shards = call('HKEYS', FAILED)
  for _, shard in ipairs(shards) do
    shard = tonumber(shard)
    local value = byte(call('GETRANGE', SETTLED, floor(shard / 8), floor(shard / 8)))
    call('SETRANGE', SETTLED, floor(shard / 8), string.char(value - POWERS[shard % 8 + 1]))
  end
  call('DEL', FAILED, CLAIMS, LEFT)
  claims = {}
  for first = 0, job.shards_cut - 1, 65536 do
    local found = gaps(first, min(65536, job.shards_cut - first))
    for at = 1, #found, 2 do
      call('RPUSH', LEFT, pack('<I4I4', found[at], found[at + 1]))
    end
  end
  local count = job.failed + job.skipped
  job.failed, job.skipped, changed = 0, 0, true
  if is_over() then job.state = RUNNING end
  call('HDEL', META, 'reason', 'ended_ms')
  return count
end

local function release(name)
  give_up(name)
  return 0
end
-- Takes back what a coordinator claimed that is silent; `whose` is the first half of its claims.
local function take_back(whose)
  local claims_given_up = 0
  for _, name in ipairs(call('HKEYS', CLAIMS)) do
    if sub(name, 1, 4) == whose then
      give_up(name)
      claims_given_up = claims_given_up + 1
    end
  end
  return claims_given_up
end

-- What follows is said to a Redis that may have lost it. Saying it to one that has it changes nothing.
local function load_claims()
  for _, name in ipairs(call('HKEYS', CLAIMS)) do claim_of(name) end
end
-- Shards of others' claims that are settled without them.
local function relieve(first, count)
  for _, claim in pairs(claims) do
    if claim then
      for place = 1, #claim.runs, 8 do
        local from, shards = unpack_at('<I4I4', claim.runs, place)
        local both = min(first + count, from + shards) - max(first, from)
        if both > 0 then
          claim.left = max(0, claim.left - both)
          claim.changed = true
        end
      end
    end
  end
end
local function item_at(shard)
  local item
  for place = 1, #job.segments, 16 do
    local from_shard, from_item, grain = unpack_at('<I4I8I4', job.segments, place)
    if from_shard <= shard then item = from_item + (shard - from_shard) * grain end
  end
  return item
end
local function reassert(head, lengths, data)
  local first, count, items, busy_us, kind, _, first_item = unpack_at('<I4I4I8I8Bc8I8', head)
  if not job or is_over() or count == 0 or first + count > job.shards_cut then return 0 end
  -- Others may have cut it otherwise since: then these are the outputs of other items.
  if item_at(first) ~= first_item or items_of(first, count) ~= items then return 0 end
  local found, accepted = gaps(first, count), 0
  for at = 1, #found, 2 do
    local from, shards = found[at], found[at + 1]
    local some_lengths, some_data = part_of(first, kind, lengths, data, from, shards)
    local value = pack('<I4I4B', from, shards, kind) .. some_lengths .. some_data
    add_run(from, shards, value, items_of(from, shards), floor(busy_us * shards / count))
    accepted = accepted + shards
  end
  if accepted > 0 then
    load_claims()
    for at = 1, #found, 2 do relieve(found[at], found[at + 1]) end
    call('HSET', META, 'reasserted', 1)
    changed = true
  end
  return accepted
end
-- Cuts as far as it was cut, where what is there is the beginning of that.
local function extend(head, segments)
  local shards, items = unpack_at('<I4I8', head)
  if not job or is_over() or shards <= job.shards_cut then return 0 end
  if sub(segments, 1, #job.segments) ~= job.segments then return 0 end
  local before = job.segments
  job.segments = segments
  local next_shard = #segments > #before and unpack_at('<I4', segments, #before + 1) or shards
  if next_shard < job.shards_cut or (job.shards_cut > 0 and item_at(job.shards_cut) ~= job.items_cut) then
    job.segments = before
    return 0
  end
  job.shards_cut, job.items_cut, changed = shards, items, true
  return 1
end
local function push_gaps(first, stop)
  while first < stop do
    local count = min(65536, stop - first)
    local found = gaps(first, count)
    for at = 1, #found, 2 do call('RPUSH', LEFT, pack('<I4I4', found[at], found[at + 1])) end
    first = first + count
  end
end
-- Whatever is neither settled nor claimed is left over from now on, and nothing else.
local function repair()
  if not job or is_over() then return 0 end
  load_claims()
  local spans = {}
  for _, claim in pairs(claims) do
    for place = 1, claim and #claim.runs or 0, 8 do
      local first, count = unpack_at('<I4I4', claim.runs, place)
      spans[#spans + 1] = {first, first + count}
    end
  end
  table.sort(spans, function(a, b) return a[1] < b[1] end)
  call('DEL', LEFT)
  local at = 0
  for _, span in ipairs(spans) do
    if span[1] > at then push_gaps(at, span[1]) end
    at = max(at, span[2])
  end
  push_gaps(at, job.shards_cut)
  return 0
end
local function add_chunk(chunk)
  local first_item, items = unpack_at('<I8I8', chunk)
  if not job or is_over() or job.closed == 1 or job.items ~= first_item then return -1 end
  job.items, changed = first_item + items, true
  if items > 0 then call('ZADD', CHUNKS, first_item, chunk) end
  return first_item
end

-- Letter of an operation -> what does it, and how many arguments it has.
local OPS = {
  A = {accept, 3}, B = {claim, 1}, C = {fail, 2}, D = {note_failure, 3}, E = {add_job, 3}, F = {append, 2},
  G = {close, 0}, H = {set_state, 2}, I = {retry, 0}, J = {release, 1}, K = {take_back, 1},
  L = {reassert, 3}, M = {extend, 2}, N = {repair, 0}, P = {add_chunk, 1},
}
local answers, at = {}, 6
while at <= #ARGV do
  local op = OPS[ARGV[at]]
  answers[#answers + 1] = op[1](ARGV[at + 1], ARGV[at + 2], ARGV[at + 3])
  at = at + 1 + op[2]
end
save_claims()
save_job()
if job then
  answers[#answers + 1] = {job.state, job.items, job.closed, job.items_cut, job.shards_cut, job.accepted,
    job.items_accepted, job.failed, job.skipped, job.busy_us, job.segments}
else
  answers[#answers + 1] = false
end
return answers
