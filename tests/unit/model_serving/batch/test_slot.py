"""How long a slot leaves a scorer alone, on a clock that nobody waits for."""

import asyncio
import selectors
from datetime import timedelta

import pytest

from services.model_serving.batch.scoring.assignment import Assignment, Report, Stopped
from services.model_serving.batch.scoring.process import ScorerDiedError
from services.model_serving.batch.work.chunk import Chunk, Claim
from services.model_serving.batch.work.slot import LOOK, Slot

HOUR = timedelta(hours=1)
POSTGRES = 0.05
"""Seconds that it takes to answer."""


class Skipping(selectors.SelectSelector):
    """Where others wait, it has the time go by at once."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if not found:
            self.now += timeout or 0.0
        return found


class SkippingLoop(asyncio.SelectorEventLoop):
    """A loop on such a clock."""

    def __init__(self) -> None:
        self._skipping = Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        return self._skipping.now


class Claims:
    """A claim that stands until its job is cancelled.

    Args:
        cancelled: When that is.
    """

    def __init__(self, cancelled: float) -> None:
        self._cancelled = cancelled

    async def holds(self, _: Claim) -> bool:
        loop = asyncio.get_running_loop()
        stands = loop.time() < self._cancelled
        await asyncio.sleep(POSTGRES)
        return stands


class Deaf:
    """A scorer that nothing but its end can interrupt."""

    is_loading = False

    def __init__(self) -> None:
        self.killed = asyncio.Event()
        self.ended = 0.0

    async def score(self, _: Assignment) -> Report:
        await self.killed.wait()
        raise ScorerDiedError("signal 9", loading=False)

    def stop(self) -> None:
        """It does not listen."""

    def kill(self) -> None:
        self.ended = asyncio.get_running_loop().time()
        self.killed.set()


async def ended(cancelled: float) -> float:
    """Return when the scorer of a job is ended that is cancelled at a time."""
    scorer = Deaf()
    times = {"lease": HOUR, "chunk_timeout": HOUR, "poll": HOUR}
    slot = Slot(Claims(cancelled), None, scorer, **times, ring=lambda: None)
    chunk = Chunk(Claim("a", None, 0, 0), (0,), b"[1]", 0, None)
    assert isinstance(await slot._scored(chunk, None), Stopped)
    return scorer.ended


class TestCancel:
    @pytest.mark.parametrize("cancelled", [0.0, 0.01, LOOK / 2, LOOK, LOOK + POSTGRES / 2, 3.3])
    def test_a_scorer_that_does_not_listen_is_ended_within_a_second(self, cancelled: float) -> None:
        with asyncio.Runner(loop_factory=SkippingLoop) as runner:
            assert cancelled < runner.run(ended(cancelled)) < cancelled + 1.0
