"""How long a call of a model takes, learnt from the calls before."""

WEIGHT = 0.2
"""Of the newest call in the running mean."""


class Cost:
    """Running means of seconds, for calls of 1, 2 to 3, 4 to 7, … rows."""

    def __init__(self) -> None:
        self._seconds: dict[int, float] = {}

    def learn(self, rows: int, seconds: float) -> None:
        """Take a call into account."""
        size = rows.bit_length()
        known = self._seconds.get(size)
        self._seconds[size] = seconds if known is None else known + WEIGHT * (seconds - known)

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
