"""Redis Streams: groups that come back after a flush, and trimming that loses nothing unread."""

from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

EVENT_FIELD = "event"
START = "0-0"
# Seconds. A loop that is told to stop waits for its read to end.
LONGEST_BLOCK = 1.0


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a stream.

    Attributes:
        id: its id, `milliseconds-sequence`.
        document: the event as published; None when the field is missing.
    """

    id: str
    document: bytes | None

    @classmethod
    def of(cls, raw: tuple[Any, Any]) -> "Entry":
        """Make an entry of an id and fields as the client returned them, with or without `decode_responses`."""
        raw_id, fields = raw
        document = fields.get(EVENT_FIELD.encode(), fields.get(EVENT_FIELD))
        return cls(text(raw_id), document.encode() if isinstance(document, str) else document)


def text(value: object) -> str:
    """Return an id or a name that Redis replied."""
    return value.decode() if isinstance(value, bytes) else str(value)


def entries(reply: Any) -> list[Entry]:  # noqa: ANN401 (the client types replies as anything)
    """Return the entries of a reply to XREAD or XREADGROUP of one stream."""
    return [Entry.of(raw) for _, raws in reply or () for raw in raws]


def milliseconds(entry_id: str) -> int:
    """Return when an entry was added, in milliseconds since 1970 by the clock of Redis."""
    return int(entry_id.split("-", 1)[0])


def block(redis: Redis) -> int:
    """Return for how many milliseconds a read may wait, well below the socket timeout of the client."""
    timeout = redis.connection_pool.connection_kwargs.get("socket_timeout")
    return int(1000 * min(LONGEST_BLOCK, timeout / 2 if timeout else LONGEST_BLOCK))


async def ensure_group(redis: Redis, stream: str, group: str) -> None:
    """Create the stream and the group unless they exist.

    The group starts at the beginning of the stream: what was published before its first consumer, or between a flush
    of Redis and this call, is read too.
    """
    try:
        await redis.xgroup_create(stream, group, START, mkstream=True)
    except ResponseError as error:
        if not str(error).startswith("BUSYGROUP"):
            raise


async def first_unread(redis: Redis, stream: str, group: str) -> str | None:
    """Return the id of the oldest entry that `group` has not acknowledged; None without one."""
    pending = await redis.xpending(stream, group)
    if pending["pending"]:
        return text(pending["min"])
    for found in await redis.xinfo_groups(stream):
        if text(found["name"]) == group:
            unread = await redis.xrange(stream, f"({text(found['last-delivered-id'])}", count=1)
            return text(unread[0][0]) if unread else None
    return None


async def trim(redis: Redis, stream: str, keep: int) -> int:
    """Drop old entries of a stream longer than about `keep`, but none that a group has yet to acknowledge.

    `MAXLEN` would drop them unread when consumers fall behind. Here a stream may outgrow `keep`, Redis may run out of
    memory, and then the relay leaves its events in Postgres until there is room.

    Returns:
        How many entries were dropped.
    """
    if await redis.xlen(stream) <= keep:
        return 0
    unread = [await first_unread(redis, stream, text(group["name"])) for group in await redis.xinfo_groups(stream)]
    held = [entry_id for entry_id in unread if entry_id is not None]
    if not held:
        return int(await redis.xtrim(stream, maxlen=keep, approximate=True))
    return int(await redis.xtrim(stream, minid=min(held, key=_order), approximate=True))


def _order(entry_id: str) -> tuple[int, int]:
    head, tail = entry_id.split("-", 1)
    return int(head), int(tail)
