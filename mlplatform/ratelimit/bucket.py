"""The token bucket, as one script that Redis runs atomically by its own clock.

A bucket holds `burst` tokens and regains one every `interval` microseconds. Only the moment at which it will be full
again is stored: an absent key is a full bucket, so keys expire by themselves, and taking a token moves the moment one
interval into the future.
"""

TAKE = """
local key, interval, burst = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
local wanted, returned = tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local room = interval * burst
local full = tonumber(redis.call('GET', key) or now) - returned * interval
-- Between now and one empty bucket ahead, whatever the clock or the settings did since the last call.
full = math.min(math.max(full, now), now + room)
local granted = math.min(wanted, math.floor((now + room - full) / interval))
if granted > 0 then
    full = full + granted * interval
    redis.call('SET', key, string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000))
end
local wait = math.max(0, full + interval - now - room)
return {granted, math.floor((now + room - full) / interval), full - now, wait}
"""
"""KEYS: the bucket. ARGV: interval in µs, burst, tokens wanted, tokens given back.

Returns tokens granted, tokens left, µs until full, µs until a token.
"""

MICROSECONDS_PER_MINUTE = 60_000_000


def interval_of(per_minute: int) -> int:
    """Microseconds in which one token is regained; at least one."""
    return max(1, MICROSECONDS_PER_MINUTE // per_minute)
