import asyncio

import pytest

from mlplatform.events import running
from mlplatform.events.background import end_with_task


class Steady:
    """A loop that works until it is stopped, and notes that it finished."""

    def __init__(self) -> None:
        self.stopping = asyncio.Event()
        self.finished = False

    async def run(self) -> None:
        await self.stopping.wait()
        self.finished = True

    def stop(self) -> None:
        self.stopping.set()


class Faulty(Steady):
    """A loop that ends by itself."""

    async def run(self) -> None:
        raise LookupError("fault")


class TestRunning:
    async def test_is_healthy_while_the_loop_runs_and_lets_it_finish(self) -> None:
        loop = Steady()
        async with running(loop, "steady") as check:
            await check()
        assert loop.finished

    async def test_a_loop_that_ended_by_itself_fails_its_check(self) -> None:
        async with running(Faulty(), "faulty") as check:
            await asyncio.sleep(0)
            with pytest.raises(RuntimeError, match="faulty has ended"):
                await check()

    async def test_whoever_asked_is_told_of_it(self) -> None:
        told: list[tuple[str, str]] = []
        async with running(Faulty(), "faulty", lambda name, error: told.append((name, str(error)))):
            await asyncio.sleep(0.01)
        async with running(Steady(), "steady", lambda name, error: told.append((name, str(error)))):
            await asyncio.sleep(0)
        assert told == [("faulty", "fault")]


class TestEndWithTask:
    async def test_a_swallowed_cancellation_still_ends_the_loop(self) -> None:
        async def loop() -> None:
            while True:
                end_with_task()
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    continue  # as the client of Redis may do

        task = asyncio.create_task(loop())
        await asyncio.sleep(0)
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=30)
        assert task in done
        assert task.cancelled()
