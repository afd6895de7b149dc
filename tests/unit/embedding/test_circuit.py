import asyncio

import pytest

from services.embedding.circuit import Circuit


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Dependency:
    """Something that answers or not, and counts how often it was asked."""

    def __init__(self) -> None:
        self.up = False
        self.asked = 0

    async def ping(self) -> None:
        self.asked += 1
        await asyncio.sleep(0)
        if not self.up:
            raise OSError("down")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def dependency() -> Dependency:
    return Dependency()


@pytest.fixture
def circuit(clock, dependency) -> Circuit:
    return Circuit("thing", dependency.ping, (OSError,), clock=clock)


async def settled() -> None:
    """Let a probe in the background end."""
    for _ in range(5):
        await asyncio.sleep(0)


class TestCircuit:
    async def test_all_may_try_what_has_not_failed(self, circuit, dependency):
        assert circuit.allows()
        assert dependency.asked == 0

    async def test_nobody_tries_for_a_while_after_a_failure(self, circuit, dependency):
        circuit.trip(OSError("down"))

        assert not any(circuit.allows() for _ in range(100))
        await settled()
        assert dependency.asked == 0

    async def test_one_probe_in_the_background_finds_it_well_again(self, circuit, clock, dependency):
        circuit.trip(OSError("down"))
        clock.seconds, dependency.up = 1.0, True

        assert not any(circuit.allows() for _ in range(100))
        await settled()
        assert dependency.asked == 1
        assert circuit.allows()

    async def test_probes_of_what_stays_down_become_rarer(self, circuit, clock, dependency):
        circuit.trip(OSError("down"))
        for tenth in range(10, 1000):
            clock.seconds = tenth / 10
            circuit.allows()
            await settled()

        assert 3 < dependency.asked < 10
        assert circuit.is_open

    async def test_a_probe_in_flight_ends_with_the_service(self, circuit, clock):
        circuit.trip(OSError("down"))
        clock.seconds = 1.0
        circuit.allows()

        await circuit.close()

        assert circuit.is_open
