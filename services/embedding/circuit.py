"""Keeps requests away from something that does not answer."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0

log = structlog.get_logger(__name__)


class Circuit:
    """Open after a failure, until a probe in the background finds that the thing answers again.

    No request waits for a probe: while the circuit is open, a dead dependency costs a comparison.

    Args:
        name: What it is, for the log.
        probe: Returns when it answers.
        failures: What the probe raises when it does not.
        clock: Seconds that only grow; tests turn it.
    """

    def __init__(
        self,
        name: str,
        probe: Callable[[], Awaitable[object]],
        failures: tuple[type[Exception], ...],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._probe = probe
        self._failures = failures
        self._clock = clock
        self._open = False
        self._pause = FIRST_PAUSE
        self._next_probe = 0.0
        self._probing: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether the thing is left alone."""
        return self._open

    def allows(self) -> bool:
        """Whether to try; while not, start a probe when one is due."""
        if not self._open:
            return True
        if self._probing is None and self._clock() >= self._next_probe:
            self._probing = asyncio.create_task(self._try())
        return False

    def trip(self, error: Exception) -> None:
        """Leave the thing alone for a while."""
        if not self._open:
            log.warning("circuit.opened", dependency=self._name, error=type(error).__name__)
            self._pause = FIRST_PAUSE
        self._open = True
        self._next_probe = self._clock() + self._pause

    async def close(self) -> None:
        """Stop probing."""
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.wait({self._probing})

    async def _try(self) -> None:
        try:
            await self._probe()
        except self._failures as error:
            self._pause = min(LONGEST_PAUSE, 2 * self._pause)
            self.trip(error)
        else:
            self._open = False
            log.info("circuit.closed", dependency=self._name)
        finally:
            self._probing = None
