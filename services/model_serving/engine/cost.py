"""How long a call of a model takes, learnt from the calls before."""

from itertools import pairwise

WEIGHT = 0.2
"""Of the newest call in the running mean."""
SHORT_SECONDS = 0.05
"""Calls up to here may always grow: callers hardly notice them."""
QUICK_SECONDS = 0.001
"""The size of calls up to here is not looked after."""
GAIN = 0.8
"""A longer call has to bring the price of a row down to this share of what it is in calls of half the size."""
LARGEST = 32
"""No call has more rows than this size."""
TRIALS = 200
"""Calls of the largest size that pays, after which the next size is tried again: one slow call proves little."""


class Cost:
    """Running means of seconds, for calls of 1, 2 to 3, 4 to 7, … rows.

    Attributes:
        most_rows: Beyond it, a call would only make its callers wait for each other, or nobody knows yet; None while
            calls are quick.
    """

    def __init__(self) -> None:
        self._seconds: dict[int, float] = {}
        self._rows: dict[int, float] = {}
        self._same = 0
        self.most_rows: int | None = None

    def learn(self, rows: int, seconds: float) -> None:
        """Take a call into account."""
        size = rows.bit_length()
        known = self._seconds.get(size)
        if known is None:
            self._seconds[size], self._rows[size] = seconds, max(rows, 1)
        else:
            self._seconds[size] = known + WEIGHT * (seconds - known)
            self._rows[size] += WEIGHT * (rows - self._rows[size])
        if seconds > QUICK_SECONDS or (self.most_rows is not None and 2 * rows > self.most_rows):
            self._limit(size)

    def expect(self, rows: int) -> float:
        """Return the seconds to expect of a call; infinite when nothing is known.

        A size that was never seen is taken to cost in proportion to the largest smaller one.
        """
        size = rows.bit_length()
        known = self._seconds.get(size)
        if known is not None:
            return known
        smaller = max((seen for seen in self._seconds if seen < size), default=None)
        if smaller is None:
            return min(self._seconds.values(), default=float("inf"))
        return self._seconds[smaller] * 2.0 ** (size - smaller)

    def _limit(self, size: int) -> None:
        if max(self._seconds.values()) <= QUICK_SECONDS:
            self.most_rows = None
            return
        largest, dearer = self._largest()
        if 2**largest - 1 != self.most_rows:
            self._same = 0
        elif size >= largest and dearer is not None:
            self._same += 1
            if self._same >= TRIALS:
                self._same = 0
                del self._seconds[dearer], self._rows[dearer]
        self.most_rows = 2**largest - 1

    def _largest(self) -> tuple[int, int | None]:
        """Return the largest size that pays, and the next known one, which does not; None when nothing larger is known.

        Beyond what is known, calls may grow as long as they are expected to be short, and by one size to see.
        """
        sizes = sorted(self._seconds)
        for size, larger in pairwise(sizes):
            wanted = GAIN ** (larger - size) * self._price(size)
            if self._seconds[larger] > SHORT_SECONDS and self._price(larger) > wanted:
                # A size between the two may pay where the larger one does not.
                return (size if larger == size + 1 else size + 1), larger
        size = sizes[-1]
        while size < LARGEST and self.expect(2**size) <= SHORT_SECONDS:
            size += 1
        return size + 1, None

    def _price(self, size: int) -> float:
        return self._seconds[size] / self._rows[size]
