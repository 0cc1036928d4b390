-- Accounts and bookings. Everything may be sent twice.
--
-- KEYS: account, its bookings (ids in order), all bookings, leaders, its standings.
-- ARGV: account, then kind and what goes with it:
--   `stands`, program, checks passed, batches: what is stored never falls behind.
--   `named`, name ('' for none): of an account that has given nothing, nothing is kept.
--   `credit`, id, booking, shards, items, name ('' where it is not known or none was chosen).
local ACCOUNT, OF_ACCOUNT, BOOKINGS, LEADERS = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local account, kind = ARGV[1], ARGV[2]
if kind == 'stands' then
  local passed, batches = tonumber(ARGV[4]), tonumber(ARGV[5])
  local known = redis.call('HGET', KEYS[5], ARGV[3])
  if known then
    local passed_known, batches_known = known:match('(%d+) (%d+)')
    passed, batches = math.max(passed, tonumber(passed_known)), math.max(batches, tonumber(batches_known))
  end
  redis.call('HSET', KEYS[5], ARGV[3], passed .. ' ' .. batches)
  return 1
elseif kind == 'credit' then
  if redis.call('HSETNX', BOOKINGS, ARGV[3], ARGV[4]) == 0 then return 0 end
  redis.call('RPUSH', OF_ACCOUNT, ARGV[3])
  redis.call('HINCRBY', ACCOUNT, 'shards', ARGV[5])
  redis.call('HINCRBY', ACCOUNT, 'items', ARGV[6])
  redis.call('HINCRBY', ACCOUNT, 'bookings', 1)
  if ARGV[7] ~= '' then redis.call('HSET', ACCOUNT, 'name', ARGV[7]) end
elseif redis.call('HEXISTS', ACCOUNT, 'bookings') == 1 then
  if ARGV[3] == '' then
    redis.call('HDEL', ACCOUNT, 'name')
    redis.call('ZREM', LEADERS, account)
  else
    redis.call('HSET', ACCOUNT, 'name', ARGV[3])
  end
end
if redis.call('HEXISTS', ACCOUNT, 'name') == 1 then
  redis.call('ZADD', LEADERS, redis.call('HGET', ACCOUNT, 'shards'), account)
end
return 1
