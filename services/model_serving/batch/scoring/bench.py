"""What a task of a process that scores has to work with."""

from collections.abc import Callable
from dataclasses import dataclass, field

from services.model_serving.batch.scoring.assignment import Assignment, Report
from services.model_serving.batch.scoring.pace import Pace
from services.model_serving.batch.scoring.turn import Cut, Turn
from services.model_serving.batch.uploads.shelf import Shelf
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.settings import ServingSettings

WORTH = 4
"""How many times as long as what each turn begins with a turn is at least."""
LONGEST = 3
"""Such a turn ends long before the time of a chunk does, of which it has this part at most."""


class NotLoaded(Exception):
    """The version of the job cannot be loaded.

    Attributes:
        reason: Why.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Bench:
    """What a task has to work with.

    Attributes:
        model: Returns the version of the job, loaded; ends the task when it cannot be.
        check: To be called every now and then: raises when the chunk is not to be worked on any more.
        settings: Of the process.
        pace: Of the job.
        exchange: Returns the seconds that it took to load the version in the place of another one; 0 if it was there.
        shelf: Has the archive of the job that was read last.

    A task that raises `DependencyUnavailable` is tried again later.
    """

    model: Callable[[], LoadedModel]
    check: Callable[[], None]
    settings: ServingSettings
    pace: Pace = field(default_factory=Pace)
    exchange: Callable[[], float] = lambda: 0.0
    shelf: Shelf = field(default_factory=Shelf)

    def turn(self, spent: float = 0.0) -> Cut:
        """Return what says how much of the chunk to score now; it begins when it is first called.

        Args:
            spent: Seconds that were spent on what each turn begins with, such as reading, and that it is to be worth.
        """
        return Turn(self.turn_seconds(spent), self.pace).cut

    def turn_seconds(self, spent: float) -> float:
        """Return how long a turn is to be.

        Where versions take turns in memory, it is as long as it took to load the one, or loading is most of the work.

        Args:
            spent: As above.
        """
        longest = self.settings.batch_chunk_timeout.total_seconds() / LONGEST
        worth = min(max(WORTH * spent, self.exchange()), longest)
        return max(self.settings.batch_turn.total_seconds(), worth)


Task = Callable[[Assignment, Bench], Report]
