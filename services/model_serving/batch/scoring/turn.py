"""How much of a chunk is scored before others have their turn.

What is scored at a time cannot be interrupted, so it is made as much as the time left is likely to suffice for, by what
items of the same job took before: one item at first, of which nothing is known.
"""

import time
from collections.abc import Callable, Iterator
from typing import TypeAlias

from services.model_serving.batch.scoring.pace import Pace

GRACE = 0.5
"""Of a turn, by which it may be longer where that is the end of the chunk, so that little is not left for another."""

Cut: TypeAlias = Callable[[int, int], Iterator[slice]]
"""From a number of items, and how many may be scored at a time, to those to score next: all of them, or the first."""


def evenly(count: int, most: int) -> Iterator[slice]:
    """Yield all of `count` items, `most` at a time."""
    for start in range(0, count, most):
        yield slice(start, min(start + most, count))


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
            size = self._pace.fit(left, min(most, count - done), begins=not done)
            if not size:
                return
            yield slice(done, done + size)
            self._pace.note(size, self._clock() - begin)
            done += size
