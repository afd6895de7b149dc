"""What a task of a process that scores has to work with."""

from collections.abc import Callable
from dataclasses import dataclass

from services.model_serving.batch.scoring.assignment import Assignment, Report
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.settings import ServingSettings


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

    A task that raises `DependencyUnavailable` is tried again later.
    """

    model: Callable[[], LoadedModel]
    check: Callable[[], None]
    settings: ServingSettings


Task = Callable[[Assignment, Bench], Report]
