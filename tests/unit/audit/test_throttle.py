"""The first denial is written, the flood is counted."""

import pytest

from mlplatform.audit.throttle import EVERYBODY_ELSE, SOURCES, WINDOW, DenialThrottle, Summary


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle(clock: Clock) -> DenialThrottle:
    return DenialThrottle(clock=clock)


class TestAdmit:
    def test_first_of_each_client_and_reason(self, throttle: DenialThrottle) -> None:
        sent = [("a", "missing"), ("a", "missing"), ("a", "expired"), ("b", "missing"), ("a", "missing")]

        assert [throttle.admit(*denial) for denial in sent] == [True, False, True, True, False]

    def test_first_of_the_next_window(self, throttle: DenialThrottle, clock: Clock) -> None:
        throttle.admit("a", "missing")
        clock.now += WINDOW.total_seconds()
        throttle.elapsed()

        assert throttle.admit("a", "missing")

    def test_very_many_clients_share_a_window(self, throttle: DenialThrottle) -> None:
        admitted = sum(throttle.admit(str(number), "missing") for number in range(4 * SOURCES))

        assert admitted == SOURCES + 1
        assert Summary(EVERYBODY_ELSE, "missing", 3 * SOURCES - 1) in throttle.drain()


class TestElapsed:
    def test_windows_that_have_passed(self, throttle: DenialThrottle, clock: Clock) -> None:
        for _ in range(3):
            throttle.admit("a", "missing")
        clock.now += WINDOW.total_seconds() / 2
        for _ in range(2):
            throttle.admit("b", "missing")
        clock.now += WINDOW.total_seconds() / 2

        assert throttle.elapsed() == [Summary("a", "missing", 2)]
        assert throttle.is_busy

    def test_nothing_was_suppressed(self, throttle: DenialThrottle, clock: Clock) -> None:
        throttle.admit("a", "missing")
        clock.now += WINDOW.total_seconds()

        assert throttle.elapsed() == []
        assert not throttle.is_busy
