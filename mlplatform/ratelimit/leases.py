"""Tokens that a process has taken from busy buckets ahead of the requests that will spend them.

Asking Redis costs more than many a prediction. A caller that comes back at once, again and again, is served from a
handful of tokens taken together. They are taken from the bucket before they are spent, so all processes together never
grant more than it held. What they bend is time: a token may be spent `LIFETIME` later than it was taken. In any span of
time a caller thus gets, for each process, at most `most` tokens more than the bucket alone would have given it, which
is the refill of 50 ms and never more than a twentieth of the burst. Unspent tokens go back with the next question.
Where 50 ms refill less than two tokens, as by default, nothing is taken ahead and every request is decided by Redis.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from mlplatform.ratelimit.buckets import Grant
from mlplatform.ratelimit.decision import MICROSECONDS

LIFETIME = 0.05
"""Seconds in which tokens that were taken ahead may be spent."""
SHARE = 20
"""A lease is at most the burst divided by this."""
CALLERS = 10_000
"""Leases in memory; the least recently used goes first."""


@dataclass(slots=True)
class Lease:
    """Tokens of one bucket.

    Attributes:
        taken: when.
        asked: how many were wanted ahead.
        unspent: how many are left.
        grant: what Redis said.
    """

    taken: float
    asked: int
    unspent: int
    grant: Grant


class Leases:
    """The leases of one process.

    Args:
        interval: microseconds in which a token is regained.
        burst: tokens of a full bucket.
        clock: seconds that only grow; tests turn it.
    """

    def __init__(self, *, interval: int, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        most = min(burst // SHARE, int(LIFETIME * MICROSECONDS / interval))
        self.most = most if most > 1 else 0
        self._clock = clock
        self._held: OrderedDict[str, Lease] = OrderedDict()

    def spend(self, key: str) -> tuple[int, Grant] | None:
        """Spend a token; None when there is none.

        Returns:
            How many are left, and what Redis said when they were taken.
        """
        lease = self._held.get(key)
        if lease is None or not lease.unspent or self._clock() >= lease.taken + LIFETIME:
            return None
        lease.unspent -= 1
        return lease.unspent, lease.grant

    def plan(self, key: str) -> tuple[int, int]:
        """Return how many tokens to take ahead, and how many to give back.

        Only a caller that spent its last lease while it lasted gets one ahead, and then twice as many as before.
        """
        lease = self._held.pop(key, None)
        if lease is None or not self.most:
            return 0, 0
        if self._clock() >= lease.taken + LIFETIME:
            return 0, lease.unspent
        return min(self.most, max(1, 2 * lease.asked)), lease.unspent

    def keep(self, key: str, *, asked: int, unspent: int, grant: Grant) -> None:
        """Remember what was taken."""
        if not self.most:
            return
        self._held[key] = Lease(self._clock(), asked, unspent, grant)
        if len(self._held) > CALLERS:
            self._held.popitem(last=False)
