"""What goes into the process that scores, and what comes out of it; each is one message of JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from services.model_serving.batch.jobs.job import ResultState
from services.model_serving.engine.identity import ModelIdentity

LOADING, SCORING = "loading", "scoring"
STOP = b"stop"
"""Said to a process that scores: give up at the next opportunity."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """A chunk to score.

    Attributes:
        model: With which version.
        params: Its parameters.
        items: Numbers of the items.
        payload: The items, as a JSON list.
    """

    model: ModelIdentity
    params: dict[str, Any]
    items: Sequence[int]
    payload: bytes

    def write(self) -> bytes:
        """Return the message."""
        head = orjson.dumps([asdict(self.model), self.params, list(self.items)])
        return len(head).to_bytes(8, "big") + head + self.payload

    @classmethod
    def read(cls, message: bytes) -> "Assignment":
        """Return what a message says."""
        end = 8 + int.from_bytes(message[:8], "big")
        model, params, items = orjson.loads(message[8:end])
        return cls(ModelIdentity(**model), params, items, message[end:])


@dataclass(frozen=True, slots=True)
class ItemResult:
    """What came of an item.

    Attributes:
        item: Its number.
        state: How it ended.
        output: JSON of what the model answered, when it succeeded.
        error: JSON of what went wrong, when it failed.
    """

    item: int
    state: ResultState
    output: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Scored:
    """Each item has a result."""

    results: Sequence[ItemResult]


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Something that is needed to load the model is down; the chunk can be tried again later."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unloadable:
    """The version cannot be loaded."""

    reason: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """It was told to give up."""


@dataclass(frozen=True, slots=True)
class Phase:
    """It has come to something else.

    Attributes:
        name: `LOADING` or `SCORING`.
    """

    name: str


Report = Scored | Unavailable | Unloadable | Stopped | Phase


def write_report(report: Report) -> bytes:
    """Return the message."""
    match report:
        case Scored(results):
            content: list[Any] = [[one.item, one.state, one.output, one.error] for one in results]
        case Unavailable(reason) | Unloadable(reason):
            content = [reason]
        case Phase(name):
            content = [name]
        case Stopped():
            content = []
    return orjson.dumps([type(report).__name__, content])


def read_report(message: bytes) -> Report:
    """Return what a message says."""
    kind, content = orjson.loads(message)
    match kind:
        case "Scored":
            return Scored([ItemResult(*values) for values in content])
        case "Unavailable":
            return Unavailable(*content)
        case "Unloadable":
            return Unloadable(*content)
        case "Phase":
            return Phase(*content)
    return Stopped()
