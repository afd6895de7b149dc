"""How long a call of a model takes, learnt from the calls before."""

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
            self._seconds[size], self._rows[size] = seconds, rows
        else:
            self._seconds[size] = known + WEIGHT * (seconds - known)
            self._rows[size] += WEIGHT * (rows - self._rows[size])
        if seconds > QUICK_SECONDS or self.most_rows is not None:
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
        largest = self._largest()
        if 2**largest - 1 != self.most_rows:
            self._same = 0
        elif size == largest:
            self._same += 1
            if self._same == TRIALS and self._seconds.pop(largest + 1, None) is not None:
                del self._rows[largest + 1]
        quick = max(self._seconds.values()) <= QUICK_SECONDS
        self.most_rows = None if quick else 2**largest - 1

    def _largest(self) -> int:
        """Return the largest size that pays; of those that were never seen, the next one may be tried."""
        for size in range(min(self._seconds), LARGEST):
            larger = size + 1
            if larger not in self._seconds:
                if self.expect(2**size) > SHORT_SECONDS:
                    return larger
            elif self._seconds[larger] > SHORT_SECONDS and self._price(larger) > GAIN * self._price(size):
                return size
        return LARGEST

    def _price(self, size: int) -> float:
        """Return the seconds of a row; of a size that was never seen, those of the largest smaller one."""
        while size not in self._seconds:
            size -= 1
        return self._seconds[size] / self._rows[size]
