"""How long a chunk took."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from services.model_serving.batch.scoring.assignment import LOADING


@dataclass(frozen=True, slots=True)
class Took:
    """How long a chunk took.

    Attributes:
        work: Seconds without those for loading a version.
        loading: Seconds that it took to load one; None when none was loaded.
    """

    work: float
    loading: float | None = None


class Watch:
    """Measures a chunk, which begins now, by the phases that it is said to come to.

    Args:
        clock: In seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begin = clock()
        self._loads_since: float | None = None
        self._loading: float | None = None

    def note(self, phase: str) -> None:
        """Learn that a phase has begun."""
        now = self._clock()
        if phase == LOADING:
            self._loads_since = now
        elif self._loads_since is not None:
            self._loading = now - self._loads_since
            self._loads_since = None

    def took(self) -> Took:
        """Return how long it took until now; what did not come to be loaded is neither."""
        end = self._clock() if self._loads_since is None else self._loads_since
        return Took(end - self._begin - (self._loading or 0.0), self._loading)
