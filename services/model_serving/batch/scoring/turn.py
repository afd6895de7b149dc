"""How much of a chunk is scored before others have their turn.

What is scored at a time cannot be interrupted, so it is made as much as the time left is likely to suffice for, by what
items of the same job took before: one item at first, of which nothing is known.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import TypeAlias

GROWTH = 8
"""How many times as many items as ever before are scored at a time: the next ones may be of another kind."""
GRACE = 0.5
"""Of a turn, by which it may be longer where that is the end of the chunk, so that little is not left for another."""
MOST_KNOWN = 256
"""Jobs of which it is remembered how long their items take."""

Cut: TypeAlias = Callable[[int, int], Iterator[slice]]
"""From a number of items, and how many may be scored at a time, to those to score next: all of them, or the first."""


def evenly(count: int, most: int) -> Iterator[slice]:
    """Yield all of `count` items, `most` at a time."""
    for start in range(0, count, most):
        yield slice(start, min(start + most, count))


class Pace:
    """What is known of the time that items of a job take."""

    def __init__(self) -> None:
        self._seconds: float | None = None
        self._largest = 0

    def note(self, items: int, seconds: float) -> None:
        """Learn from items that were scored: at once that they take longer, by and by that they take less."""
        found = seconds / items
        self._seconds = found if self._seconds is None else max(found, (self._seconds + found) / 2)
        self._largest = max(self._largest, items)

    def fit(self, seconds: float, most: int) -> int:
        """Return how many of `most` items are likely to be done within so many seconds; perhaps none.

        Args:
            seconds: How long they may take.
            most: How many there are.
        """
        if self._seconds is None:
            return min(1, most)
        found = min(most, GROWTH * self._largest)
        return found if self._seconds * found <= seconds else int(max(seconds, 0.0) / self._seconds)

    def suffices(self, items: int, seconds: float) -> bool:
        """Whether so many items are likely to be done within so many seconds."""
        return self._seconds is not None and self._seconds * items <= seconds


class Paces:
    """What is known of the jobs that a process had to do with last."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Pace] = OrderedDict()

    def of(self, job: str) -> Pace:
        """Return what is known of a job."""
        pace = self._kept.setdefault(job, Pace())
        self._kept.move_to_end(job)
        if len(self._kept) > MOST_KNOWN:
            self._kept.popitem(last=False)
        return pace


class Turn:
    """A turn of a chunk, which begins when it is first asked what to score.

    Args:
        seconds: How long it is to be.
        pace: Of the job.
        clock: In seconds.
    """

    def __init__(self, seconds: float, pace: Pace, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._pace = pace
        self._clock = clock

    def cut(self, count: int, most: int) -> Iterator[slice]:
        """Yield items to score, until there are no more or the turn is over; at least one.

        Whoever asks for the next ones has scored the last.

        Args:
            count: Items of the chunk.
            most: That may be scored at a time.
        """
        end = self._clock() + self._seconds
        done = 0
        while done < count:
            begin = self._clock()
            left = end - begin
            if self._pace.suffices(count - done, left + GRACE * self._seconds):
                left += GRACE * self._seconds
            size = self._pace.fit(left, min(most, count - done)) or int(not done)
            if not size:
                return
            yield slice(done, done + size)
            self._pace.note(size, self._clock() - begin)
            done += size
