import asyncio
from collections.abc import Mapping, Sequence

import pytest

from services.embedding.coalescing import Flights
from services.embedding.errors import EncodingFailedError, QueueFull

A, B, C = b"a", b"b", b"c"


class Computer:
    """Gives each key in upper case, once the gate is open."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.computed: list[list[bytes]] = []
        self.cancelled: list[list[bytes]] = []
        self.failures: list[Exception] = []

    async def compute(self, keys: Sequence[bytes]) -> Mapping[bytes, bytes]:
        self.computed.append(list(keys))
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled.append(list(keys))
            raise
        if self.failures:
            raise self.failures.pop(0)
        return {key: key.upper() for key in keys}


@pytest.fixture
def computer() -> Computer:
    return Computer()


@pytest.fixture
def flights() -> Flights[bytes]:
    return Flights()


async def ask(
    flights: Flights[bytes], computer: Computer, *keys: bytes, urgent: bool = True
) -> "asyncio.Task[Mapping[bytes, bytes]]":
    """Ask, and return once the computation has begun."""
    task = asyncio.create_task(flights.get(keys, computer.compute, urgent=urgent))
    for _ in range(3):
        await asyncio.sleep(0)
    return task


class TestGet:
    async def test_equal_keys_in_flight_are_computed_once_and_all_are_answered(self, flights, computer):
        tasks = [await ask(flights, computer, A) for _ in range(10)]
        computer.gate.set()

        assert await asyncio.gather(*tasks) == [{A: b"A"}] * 10
        assert computer.computed == [[A]]

    async def test_a_key_that_one_request_has_twice_is_computed_once(self, flights, computer):
        computer.gate.set()

        assert await flights.get([A, B, A], computer.compute, urgent=True) == {A: b"A", B: b"B"}
        assert computer.computed == [[A, B]]

    async def test_a_request_computes_only_what_is_not_in_flight(self, flights, computer):
        first = await ask(flights, computer, A, B)
        second = await ask(flights, computer, B, C)
        computer.gate.set()

        assert (await second)[B] == b"B"
        await first
        assert computer.computed == [[A, B], [C]]

    async def test_what_has_landed_is_computed_anew(self, flights, computer):
        computer.gate.set()
        await flights.get([A], computer.compute, urgent=True)
        await flights.get([A], computer.compute, urgent=True)

        assert computer.computed == [[A], [A]]

    async def test_a_query_does_not_wait_for_a_bulk_load_with_the_same_text(self, flights, computer):
        await ask(flights, computer, A, B, urgent=False)
        query = await ask(flights, computer, A)

        assert computer.computed == [[A, B], [A]]
        computer.gate.set()
        await query

    async def test_a_bulk_load_joins_what_is_in_flight(self, flights, computer):
        query = await ask(flights, computer, A)
        load = await ask(flights, computer, A, B, urgent=False)
        again = await ask(flights, computer, A, B, urgent=False)
        computer.gate.set()

        await asyncio.gather(query, load, again)
        assert computer.computed == [[A], [B]]


class TestLeaving:
    async def test_a_caller_that_leaves_does_not_cancel_the_others(self, flights, computer):
        first = await ask(flights, computer, A)
        second = await ask(flights, computer, A)
        first.cancel()
        await asyncio.wait({first})
        computer.gate.set()

        assert await second == {A: b"A"}
        assert computer.cancelled == []

    async def test_the_last_caller_to_leave_ends_the_computation(self, flights, computer):
        tasks = [await ask(flights, computer, A) for _ in range(3)]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await asyncio.sleep(0)

        assert computer.cancelled == [[A]]

    async def test_nobody_joins_a_computation_that_ends_because_all_left(self, flights, computer):
        first = await ask(flights, computer, A)
        first.cancel()
        await asyncio.wait({first})
        second = await ask(flights, computer, A)
        computer.gate.set()

        assert await second == {A: b"A"}


class TestFailure:
    async def test_a_failure_is_that_of_whose_request_it_is(self, flights, computer):
        first = await ask(flights, computer, A, B)
        second = await ask(flights, computer, B)
        computer.failures = [EncodingFailedError("a text was poison")]
        computer.gate.set()

        outcomes = await asyncio.gather(first, second, return_exceptions=True)

        assert isinstance(outcomes[0], EncodingFailedError)
        assert outcomes[1] == {B: b"B"}

    async def test_a_request_that_fails_lets_go_of_what_it_joined(self, flights, computer):
        first = await ask(flights, computer, A)
        refused = Computer()
        refused.failures = [QueueFull()]
        refused.gate.set()

        with pytest.raises(QueueFull):
            await flights.get([A, B], refused.compute, urgent=True)
        first.cancel()
        await asyncio.wait({first})
        await asyncio.sleep(0)
        assert computer.cancelled == [[A]]
