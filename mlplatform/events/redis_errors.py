"""Which answers of Redis speak of Redis, and which of the command."""

from redis.exceptions import (
    BusyLoadingError,
    ClusterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

# Not every answer has an error type of its own in the client.
OUTAGE_PREFIXES = (
    "MISCONF",
    "NOREPLICAS",
    "MASTERDOWN",
    "LOADING",
    "UNKILLABLE",
    "BUSY ",
    "OOM",
    "READONLY",
    "NOAUTH",
)
OUTAGE_TYPES = (
    BusyLoadingError,
    ClusterDownError,
    RedisConnectionError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisTimeoutError,
)


def is_outage(error: BaseException) -> bool:
    """Return whether `error` says that Redis serves nobody now, rather than that it refuses this one command."""
    return isinstance(error, OUTAGE_TYPES) or str(error).startswith(OUTAGE_PREFIXES)
