"""When a loop beside a service looks, and what it does meanwhile."""

import asyncio
from datetime import timedelta

import pytest

from mlplatform.events import Beat, beside

NEVER = timedelta(days=1)
DEADLINE = 30.0


class TestBeat:
    async def test_comes_at_once_and_after_each_interval(self) -> None:
        beat, looks = Beat(timedelta(milliseconds=1)), 0
        async with asyncio.timeout(DEADLINE):
            async for _ in beat:
                looks += 1
                if looks == 3:
                    beat.stop()
        assert looks == 3

    async def test_comes_when_it_is_woken_also_in_the_midst_of_a_look(self) -> None:
        beat, looks = Beat(NEVER), 0
        async with asyncio.timeout(DEADLINE):
            async for _ in beat:
                looks += 1
                if looks == 1:
                    beat.wake()
                else:
                    asyncio.get_running_loop().call_soon(beat.wake if looks == 2 else beat.stop)
        assert looks == 3

    async def test_does_not_come_at_all_once_it_is_stopped(self) -> None:
        beat = Beat(NEVER)
        beat.stop()
        assert [beat async for _ in beat] == []


class TestBeside:
    async def test_ends_with_the_block_though_it_loses_a_cancellation(self) -> None:
        lost, ended = asyncio.Event(), asyncio.Event()

        async def follow() -> None:
            try:
                await asyncio.sleep(DEADLINE)
            except asyncio.CancelledError:
                lost.set()
            try:
                await asyncio.sleep(DEADLINE)
            finally:
                ended.set()

        async with beside(follow()):
            await asyncio.sleep(0)
        assert lost.is_set()
        assert ended.is_set()

    async def test_ends_when_the_block_fails(self) -> None:
        ended = asyncio.Event()

        async def follow() -> None:
            try:
                await asyncio.sleep(DEADLINE)
            finally:
                ended.set()

        async def work() -> None:
            async with beside(follow()):
                await asyncio.sleep(0)
                raise ValueError("broken")

        with pytest.raises(ValueError, match="broken"):
            await work()
        assert ended.is_set()
