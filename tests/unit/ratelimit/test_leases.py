"""When tokens are taken ahead, and how many."""

import pytest

from mlplatform.ratelimit.bucket import interval_of
from mlplatform.ratelimit.buckets import Grant
from mlplatform.ratelimit.leases import CALLERS, LIFETIME, Leases
from tests.unit.auth.issuer import Clock

GRANT = Grant(tokens=1, remaining=99, until_full=10, until_token=0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def leases(clock: Clock, *, per_minute: int = 600_000, burst: int = 1000) -> Leases:
    return Leases(interval=interval_of(per_minute), burst=burst, clock=clock)


class TestSize:
    @pytest.mark.parametrize(
        ("per_minute", "burst", "most"),
        [
            (60, 100, 0),  # the default: 50 ms refill a twentieth of a token
            (1_200, 100, 0),
            (2_400, 100, 2),
            (600_000, 100, 5),
            (600_000, 39, 0),
            (600_000, 100_000, 500),
            (10**12, 100_000, 5_000),
        ],
    )
    def test_is_what_50_ms_refill_and_a_twentieth_of_the_burst(
        self, clock: Clock, per_minute: int, burst: int, most: int
    ) -> None:
        assert leases(clock, per_minute=per_minute, burst=burst).most == most

    def test_doubles_while_the_caller_spends_them(self, clock: Clock) -> None:
        held = leases(clock)
        sizes = []
        for _ in range(9):
            asked, returned = held.plan("key")
            assert returned == 0
            held.keep("key", asked=asked, unspent=0, grant=GRANT)
            sizes.append(asked)
        assert sizes == [0, 1, 2, 4, 8, 16, 32, 50, 50]

    def test_starts_anew_after_a_pause(self, clock: Clock) -> None:
        held = leases(clock)
        held.keep("key", asked=50, unspent=7, grant=GRANT)
        clock.now += LIFETIME
        assert held.plan("key") == (0, 7)
        assert held.plan("key") == (0, 0)

    def test_is_nothing_where_refill_is_slow(self, clock: Clock) -> None:
        held = leases(clock, per_minute=60)
        held.keep("key", asked=0, unspent=1, grant=GRANT)
        assert held.plan("key") == (0, 0)
        assert held.spend("key") is None


class TestSpend:
    def test_counts_down(self, clock: Clock) -> None:
        held = leases(clock)
        held.keep("key", asked=2, unspent=2, grant=GRANT)
        assert [held.spend("key") for _ in range(3)] == [(1, GRANT), (0, GRANT), None]

    def test_not_another_callers(self, clock: Clock) -> None:
        held = leases(clock)
        held.keep("key", asked=2, unspent=2, grant=GRANT)
        assert held.spend("other") is None

    def test_not_beyond_the_lifetime(self, clock: Clock) -> None:
        held = leases(clock)
        held.keep("key", asked=2, unspent=2, grant=GRANT)
        clock.now += LIFETIME
        assert held.spend("key") is None

    def test_callers_are_bounded(self, clock: Clock) -> None:
        held = leases(clock)
        for number in range(CALLERS + 1):
            held.keep(str(number), asked=1, unspent=1, grant=GRANT)
        assert held.spend("0") is None
        assert held.spend("1") is not None
