"""Work for a caller that may leave."""

import asyncio

import pytest

from mlplatform.service.caller import ClientGone, departure, unless_gone, wait_forever


class Work:
    """Work that ends when the test says so, and notes what became of it."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.finish = asyncio.Event()
        self.ended = asyncio.Event()
        self.outcome = "pending"

    async def run(self) -> str:
        self.started.set()
        try:
            await self.finish.wait()
        except asyncio.CancelledError:
            self.outcome = "cancelled"
            raise
        else:
            self.outcome = "done"
            return "answer"
        finally:
            self.ended.set()


class TestUnlessGone:
    async def test_the_answer_of_a_caller_that_waits(self):
        work = Work()
        asyncio.get_running_loop().call_later(0.05, work.finish.set)

        assert await unless_gone(work.run(), wait_forever) == "answer"

    async def test_work_of_a_caller_that_left_is_dropped(self):
        work, left = Work(), asyncio.Event()
        waiting = asyncio.create_task(unless_gone(work.run(), left.wait))
        await work.started.wait()
        left.set()

        with pytest.raises(ClientGone):
            await waiting
        await work.ended.wait()
        assert work.outcome == "cancelled"

    async def test_work_is_dropped_with_whoever_waits_for_it(self):
        work = Work()
        waiting = asyncio.create_task(unless_gone(work.run(), wait_forever))
        await work.started.wait()
        waiting.cancel()

        await work.ended.wait()
        assert work.outcome == "cancelled"

    async def test_a_failure_is_the_caller_s_to_know(self):
        async def fail() -> None:
            raise ValueError("wrong")

        with pytest.raises(ValueError, match="wrong"):
            await unless_gone(fail(), wait_forever)


class TestDeparture:
    async def test_only_a_closed_connection_counts(self):
        messages = [{"type": "http.request", "body": b""}, {"type": "http.disconnect"}]

        async def receive() -> dict[str, object]:
            return messages.pop(0)

        await departure(receive)()

        assert messages == []
