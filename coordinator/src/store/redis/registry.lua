-- What coordinators tell each other: which jobs there are, which are open, what changed.
--
-- KEYS: jobs, open, keys, changes, count (of changes).
-- ARGV: whose, changes_max, then for each notice: kind, job, and the owner's key where kind is `new`.
-- Kinds: `new`, `open` (again), `over`, `same`. Returns, for each `new`, the older job that has the key, or ''.
local JOBS, OPEN, KEYS_OF, CHANGES, COUNT = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local whose, changes_max = ARGV[1], ARGV[2]
local answers, at = {}, 3
while at <= #ARGV do
  local kind, job, older = ARGV[at], ARGV[at + 1], nil
  at = at + 2
  if kind == 'new' then
    local key = ARGV[at]
    at = at + 1
    if key ~= '' and redis.call('HSETNX', KEYS_OF, key, job) == 0 then
      older = redis.call('HGET', KEYS_OF, key)
      if older == job then older = nil end
    end
    if not older and redis.call('ZADD', JOBS, 0, job) == 1 then redis.call('SADD', OPEN, job) end
    answers[#answers + 1] = older or ''
  elseif kind == 'open' then
    redis.call('SADD', OPEN, job)
  elseif kind == 'over' then
    redis.call('SREM', OPEN, job)
  end
  if not older then
    -- Numbered without gaps, so that a reader sees when it was away for too long.
    local number = redis.call('INCR', COUNT)
    redis.call('XADD', CHANGES, 'MAXLEN', '~', changes_max, number .. '-0', 'job', job, 'by', whose)
  end
end
return answers
