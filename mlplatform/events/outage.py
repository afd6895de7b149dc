"""What a background loop does while a store is down: wait longer each time, and log only the turns."""

import asyncio
import random
from datetime import timedelta

import structlog

logger = structlog.get_logger(__name__)


class Outage:
    """The failures in a row of one loop.

    Args:
        loop: name of the loop, for the log.
        shortest: wait after the first failure; doubled at each further one.
        longest: wait at most.
    """

    def __init__(
        self,
        loop: str,
        *,
        shortest: timedelta = timedelta(milliseconds=100),
        longest: timedelta = timedelta(seconds=5),
    ) -> None:
        self._loop = loop
        self._shortest = shortest
        self._longest = longest
        self._failures = 0

    @property
    def failing(self) -> bool:
        """Whether the last attempt failed."""
        return self._failures > 0

    def failed(self, error: BaseException) -> timedelta:
        """Count a failure, log it when it is the first, and return how long to wait."""
        if self._failures == 0:
            logger.warning("events.interrupted", loop=self._loop, error=f"{type(error).__name__}: {error}")
        wait = min(self._shortest * (1 << min(self._failures, 16)), self._longest)
        self._failures += 1
        return wait * random.uniform(0.5, 1.0)  # noqa: S311 (spreads the callers, keeps no secret)

    def ended(self) -> None:
        """Note a success, and log it when failures came before."""
        if self._failures:
            logger.info("events.resumed", loop=self._loop, failures=self._failures)
        self._failures = 0


async def wait(event: asyncio.Event, limit: timedelta) -> None:
    """Wait until `event` is set, at most for `limit`."""
    try:
        async with asyncio.timeout(limit.total_seconds()):
            await event.wait()
    except TimeoutError:
        return
