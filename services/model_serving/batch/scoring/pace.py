"""How long items of a job take, as far as it is known."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import TypeAlias

GROWTH = 8
"""How many times as many items as ever before are scored at a time: the next ones may be of another kind."""
ANOTHER = 2
"""How many times as long something takes that tells of other items than before."""
DOUBLE = 2
"""How many times as many items as in the last call are tried at most where the call is what seems to take long."""
MOST_KNOWN = 256
"""Jobs of which it is remembered how long their items take."""

Call: TypeAlias = tuple[int, float]
"""Items that were scored at a time, and the seconds that it took."""
Line: TypeAlias = tuple[float, float]
"""Seconds of a call, and of each item in it."""


class Pace:
    """What is known of the time that items of a job take: so long for a call, and so long for each item in it.

    Two calls tell these apart: the last one, and the last before it with half as many items or fewer, or with twice as
    many or more, unless the two contradict each other.

    Args:
        others: Of other jobs that have the same done to their items; None when there were none.
    """

    def __init__(self, others: Line | None = None) -> None:
        self._others = others
        self._last: Call | None = None
        self._other: Call | None = None
        self._largest = 0

    def note(self, items: int, seconds: float) -> None:
        """Learn from items that were scored at a time."""
        new = (items, seconds)
        if self._last is not None and _differ(self._last, new):
            self._other = self._last
        if self._other is not None and _contradict(*sorted((self._other, new))):
            self._other = None
        self._last = new
        self._largest = max(self._largest, items)

    def fit(self, seconds: float, most: int, *, begins: bool) -> int:
        """Return how many of `most` items to score next.

        Args:
            seconds: How long they may take.
            most: How many there are.
            begins: Whether some are scored however long that takes. Then their own time may come to that of the call,
                which costs others little more than one item.
        """
        if self._last is None:
            return min(self._first(seconds), most)
        found = min(most, GROWTH * self._largest)
        call, item = self._line(self._last)
        if call + item * found <= seconds:
            return found
        size = int(max(seconds - call, 0.0) / item) if item else 0
        if begins:
            items, took = self._last
            worth = int(call / item) if item else found
            if self._other is None and items == 1 and took <= DOUBLE * seconds:
                worth = DOUBLE  # is it the call or the item that takes long?
            size = max(1, size, min(worth, DOUBLE * items))
        return min(found, size)

    def suffices(self, items: int, seconds: float) -> bool:
        """Whether so many items are likely to be done within so many seconds."""
        if self._last is None:
            return False
        call, item = self._line(self._last)
        return call + item * items <= seconds

    @property
    def line(self) -> Line | None:
        """What is known of the job itself."""
        return None if self._last is None else self._line(self._last)

    def _first(self, seconds: float) -> int:
        """Return how many items to begin with.

        One of which nothing is known. More where those of other jobs take so little that these may take many times as
        long: images may be larger, and texts longer.
        """
        if self._others is None:
            return 1
        call, item = self._others
        return GROWTH if GROWTH * (call + item * GROWTH) <= seconds else 1

    def _line(self, last: Call) -> Line:
        if self._other is None:
            items, seconds = last
            return 0.0, seconds / items
        (few, short), (many, long) = sorted((self._other, last))
        item = max(0.0, long - short) / (many - few)
        return max(0.0, short - item * few), item


class Paces:
    """What is known of the jobs that a process had to do with last."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, Hashable], Pace] = OrderedDict()

    def of(self, job: str, work: Hashable) -> Pace:
        """Return what is known of a job.

        Args:
            job: Its id.
            work: What is done to items of it; equal for jobs that have the same done.
        """
        key = job, work
        if key not in self._kept:
            self._kept[key] = Pace(self._slowest(work))
        self._kept.move_to_end(key)
        if len(self._kept) > MOST_KNOWN:
            self._kept.popitem(last=False)
        return self._kept[key]

    def _slowest(self, work: Hashable) -> Line | None:
        """Return the most that a call, and an item, takes of any of the jobs."""
        lines = [pace.line for (_, done), pace in self._kept.items() if done == work]
        known = [line for line in lines if line is not None]
        return (max(call for call, _ in known), max(item for _, item in known)) if known else None


def _differ(one: Call, other: Call) -> bool:
    few, many = sorted((one[0], other[0]))
    return DOUBLE * few <= many


def _contradict(small: Call, large: Call) -> bool:
    """Whether a call tells of other items than one with more: these took less time, or much more for each of them."""
    (few, short), (many, long) = small, large
    return few == many or short > ANOTHER * long or long * few > ANOTHER * short * many
