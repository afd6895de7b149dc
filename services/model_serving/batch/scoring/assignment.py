"""What goes into the process that scores, and what comes out of it; each is one message of JSON."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, astuple, dataclass
from typing import Any

import orjson

from services.model_serving.batch.jobs.job import Kind, ResultState
from services.model_serving.engine.identity import ModelIdentity

LOADING, SCORING = "loading", "scoring"
STOP = b"stop"
"""Said to a process that scores: give up at the next opportunity."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """A chunk to work on.

    Attributes:
        model: With which version.
        params: Its parameters.
        items: Numbers of the items.
        payload: The items, as a JSON list; nothing when they are elsewhere.
        source: Where that is.
        kind: What is to be done.
        tenant: Whose job it is.
        job: Its id.
        review_below: Results with less confidence are reviewed.
    """

    model: ModelIdentity
    params: dict[str, Any]
    items: Sequence[int]
    payload: bytes
    source: dict[str, Any] | None = None
    kind: Kind = "score"
    tenant: str = ""
    job: str = ""
    review_below: float | None = None

    def write(self) -> bytes:
        """Return the message."""
        about = [self.source, self.kind, self.tenant, self.job, self.review_below]
        head = orjson.dumps([asdict(self.model), self.params, list(self.items), about])
        return len(head).to_bytes(8, "big") + head + self.payload

    @classmethod
    def read(cls, message: bytes) -> "Assignment":
        """Return what a message says."""
        end = 8 + int.from_bytes(message[:8], "big")
        model, params, items, about = orjson.loads(message[8:end])
        return cls(ModelIdentity(**model), params, items, message[end:], *about)


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
    """Items have results.

    Attributes:
        results: Of the first items, one of each.
        rest: How many items follow them, which were left for another turn.
    """

    results: Sequence[ItemResult]
    rest: int = 0


@dataclass(frozen=True, slots=True)
class UnsureRow:
    """A row of a table whose answer is to be reviewed.

    Attributes:
        item: Its number.
        input: JSON of the row, as the model was given it.
        output: JSON of what the model answered.
        confidence: How sure it was, from 0 to 1.
    """

    item: int
    input: str
    output: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Written:
    """Items have results; what was answered is in an object.

    Attributes:
        key: Of the object; None when every item failed.
        succeeded: Items in the object.
        failures: The results of the others of the first items.
        rest: How many items follow them, which were left for another turn.
        unsure: Those of the object that are to be reviewed.
    """

    key: str | None
    succeeded: int
    failures: Sequence[ItemResult]
    rest: int = 0
    unsure: Sequence[UnsureRow] = ()


@dataclass(frozen=True, slots=True)
class ChunkSpec:
    """A chunk of an input that was split.

    Attributes:
        source: Where its items are; `first`, the number of the first one, is added when it is stored.
        items: How many they are; none of a chunk that is to be split further.
        kind: What is to be done with it.
    """

    source: dict[str, Any]
    items: int = 0
    kind: Kind = "score"


@dataclass(frozen=True, slots=True)
class Split:
    """An input was split."""

    chunks: Sequence[ChunkSpec]


@dataclass(frozen=True, slots=True)
class Finished:
    """What follows the end of a job was done; the summary is added to those that are stored with the job."""

    summary: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The input of the job cannot be read, so the job as a whole fails."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Something that is needed, such as what holds the model, is down; the chunk can be tried again later."""

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


Report = Scored | Written | Split | Finished | Unreadable | Unavailable | Unloadable | Stopped | Phase

PLAIN: dict[str, Callable[..., Report]] = {
    one.__name__: one for one in (Finished, Unreadable, Unavailable, Unloadable, Stopped, Phase)
}
"""Reports whose message has their fields."""


def write_report(report: Report) -> bytes:
    """Return the message."""
    match report:
        case Scored(results, rest):
            content: list[Any] = [_rows(results), rest]
        case Written(key, succeeded, failures, rest, unsure):
            content = [key, succeeded, _rows(failures), rest, [list(astuple(one)) for one in unsure]]
        case Split(chunks):
            content = [[one.source, one.items, one.kind] for one in chunks]
        case Finished(summary):
            content = [summary]
        case Unreadable(reason) | Unavailable(reason) | Unloadable(reason):
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
            results, rest = content
            return Scored([ItemResult(*values) for values in results], rest)
        case "Written":
            key, succeeded, failures, rest, unsure = content
            failed = [ItemResult(*values) for values in failures]
            return Written(key, succeeded, failed, rest, [UnsureRow(*values) for values in unsure])
        case "Split":
            return Split([ChunkSpec(*values) for values in content])
    return PLAIN[kind](*content)


def _rows(results: Sequence[ItemResult]) -> list[Any]:
    return [[one.item, one.state, one.output, one.error] for one in results]
