-- "I live": counts this coordinator's beat; tells everyone's, and what changed.
-- KEYS: coordinators, changes, count (of changes). ARGV: whose, the last change seen, changes_max.
-- Returns the beats (name and count in turn), the number of the last change, and the changes.
redis.call('HINCRBY', KEYS[1], ARGV[1], 1)
local changes = redis.call('XRANGE', KEYS[2], '(' .. ARGV[2] .. '-0', '+', 'COUNT', ARGV[3])
local flat = {}
for _, change in ipairs(changes) do
  flat[#flat + 1] = change[1]
  flat[#flat + 1] = change[2][2]
  flat[#flat + 1] = change[2][4]
end
return {redis.call('HGETALL', KEYS[1]), tonumber(redis.call('GET', KEYS[3]) or 0), flat}
