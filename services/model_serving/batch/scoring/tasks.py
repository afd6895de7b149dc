"""What a process that scores does with a chunk, by its kind and by what its source is.

A task is named by `kind` for chunks that hold their input, else by `kind:type`, where `type` is that of the source.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import orjson

from services.model_serving.batch.report.report import report
from services.model_serving.batch.scoring.assignment import Assignment, Report, Scored, Unreadable
from services.model_serving.batch.scoring.rows import results_of, score_items
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


def score(assignment: Assignment, bench: Bench) -> Report:
    """Score items that came with the chunk."""
    outcomes = score_items(bench.model(), orjson.loads(assignment.payload), assignment.params, bench.check)
    return Scored(results_of(assignment.items, outcomes))


def refuse(assignment: Assignment, _: Bench) -> Report:
    """Give up what this worker knows nothing of, which it says so that nobody waits for it."""
    return Unreadable(f"This worker cannot {assignment.kind} such an input; its version is another one than the API's.")


KINDS: Mapping[str, Task] = {"score": score, "finish:report": report}


def find_task(assignment: Assignment) -> Task:
    """Return what to do with a chunk."""
    name = assignment.kind if assignment.source is None else f"{assignment.kind}:{assignment.source.get('type')}"
    return KINDS.get(name, refuse)
