"""What the server does in one step.

KEYS: the stream, and a hash that tells about it: `owner`, `identity`, `last` (the last position)
and `bytes` (how many were ever put in).
"""

from typing import Final

APPEND: Final = """
    -- ARGV: the channel, what an event takes beside its data, and six values for each event.
    -- A position is the microsecond of its time, or more: what a server that lost its end gives
    -- anew is never a position that somebody has seen.
    local about = redis.call('HMGET', KEYS[2], 'last', 'bytes')
    local before = tonumber(about[1] or '0')
    local bytes = tonumber(about[2] or '0')
    local time = redis.call('TIME')
    local position = math.max(before + 1, time[1] * 1000000 + time[2])
    if #redis.call('XRANGE', KEYS[1], string.format('%.0f-0', position), '+', 'COUNT', 1) > 0 then
        -- Somebody else has put in an entry that is ahead of the time; ours follow on it.
        local top = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1][1]
        position = tonumber(string.match(top, '^(%d+)-')) + 1
    end
    local first = position
    for at = 3, #ARGV, 6 do
        local entry = {
            'id', ARGV[at], 'name', ARGV[at + 1], 'data', ARGV[at + 2], 'source', ARGV[at + 3],
            'time_ns', ARGV[at + 4], 'before', string.format('%.0f', bytes),
        }
        if ARGV[at + 5] ~= '' then
            entry[#entry + 1] = 'more'
            entry[#entry + 1] = ARGV[at + 5]
        end
        redis.call('XADD', KEYS[1], string.format('%.0f-0', position), unpack(entry))
        bytes = bytes + #ARGV[at + 2] + ARGV[2]
        position = position + 1
    end
    local last = string.format('%.0f', position - 1)
    redis.call('HSET', KEYS[2], 'last', last, 'bytes', string.format('%.0f', bytes))
    redis.call('PUBLISH', ARGV[1], last)
    return {string.format('%.0f', before), string.format('%.0f', first)}
"""

OPEN: Final = """
    -- ARGV: the owner, an identity for a stream that is made now, and whether to take it over.
    local about = redis.call('HMGET', KEYS[2], 'owner', 'identity')
    if not about[2] then
        redis.call('HSET', KEYS[2], 'owner', ARGV[1], 'identity', ARGV[2])
        return {ARGV[1], ARGV[2]}
    end
    if about[1] ~= ARGV[1] and ARGV[3] == '1' then
        redis.call('HSET', KEYS[2], 'owner', ARGV[1])
        about[1] = ARGV[1]
    end
    return about
"""
