"""What was measured of each backend on this machine, kept on disk so that it is measured once."""

import fcntl
import hashlib
import math
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.embedding.encoding.exports import library_versions
from services.embedding.encoding.machine import Machine
from services.embedding.encoding.names import AUTO, REFERENCE, Attempt, BackendName, stand_ins

METHOD = "3"
"""Changes when backends are measured or refused in another way."""
FINALISTS = 3
FINALIST_SHARE = 0.5
"""Of the throughput of the fastest: measured apart from it, a backend was seen to lose a third to its host's load."""
TIE = 0.95
"""Of the throughput of the fastest, from which on the time of a query decides."""


class Trial(BaseModel):
    """How one backend did."""

    model_config = ConfigDict(frozen=True)

    backend: BackendName
    texts_per_second: Annotated[
        float | None, Field(description="On sentences and pages; of a processor as if it had nothing else to do.")
    ] = None
    query_milliseconds: Annotated[float | None, Field(description="One query of about a dozen tokens.")] = None
    cosine: Annotated[float | None, Field(description="Mean similarity to fp32 on built-in texts.")] = None
    lowest_cosine: Annotated[float | None, Field(description="Of the text that came off worst.")] = None
    refused: Annotated[str | None, Field(description="Why it may not serve, null when it may.")] = None

    def at(self, texts_per_second: float, query_milliseconds: float) -> "Trial":
        """Return the same at a speed that was measured."""
        speed = {"texts_per_second": round(texts_per_second, 1), "query_milliseconds": round(query_milliseconds, 2)}
        return self.model_copy(update=speed)


class Record(BaseModel):
    """The trials of one model on this machine."""

    model_config = ConfigDict(frozen=True)

    trials: tuple[Trial, ...] = ()
    compared: Annotated[
        tuple[BackendName, ...],
        Field(description="Those near the fastest: measured in turns, unless that ended the process twice."),
    ] = ()
    trying: Annotated[Attempt | None, Field(description="Tried at the moment, or when the process ended.")] = None
    attempts: Annotated[int, Field(description="How often that one was started and not finished.")] = 0

    def find(self, name: str) -> Trial | None:
        """Return the trial of a backend."""
        return next((trial for trial in self.trials if trial.backend == name), None)

    def serves(self, name: str) -> bool:
        """Whether a backend was tried and may serve."""
        trial = self.find(name)
        return trial is not None and trial.refused is None

    def start(self, name: Attempt) -> "Record":
        """Say what is tried next."""
        again = self.attempts if self.trying == name else 0
        return self.model_copy(update={"trying": name, "attempts": again + 1})

    def abandon(self) -> "Record":
        """Say that the attempt was called off, and that this is not its fault."""
        return self.model_copy(update={"trying": None, "attempts": 0})

    def add(self, trial: Trial) -> "Record":
        """Say how it went; what was compared before may have one more to be compared with."""
        return Record(trials=(*self._without(trial), trial), compared=self.compared if trial.refused else ())

    def finalists(self) -> tuple[BackendName, ...]:
        """Return those near the fastest, which are still to be compared with each other; none where one stands out."""
        able = sorted((trial for trial in self.trials if trial.refused is None), key=_speed, reverse=True)
        near = [trial.backend for trial in able if _speed(trial) >= FINALIST_SHARE * _speed(able[0])][:FINALISTS]
        return tuple(near) if len(near) > 1 and not self.compared else ()

    def compare(self, names: tuple[BackendName, ...], trials: Iterable[Trial]) -> "Record":
        """Say that backends were compared, and what came of it."""
        measured = tuple(trials)
        return Record(trials=(*self._without(*measured), *measured), compared=names)

    def choose(self, wanted: str) -> BackendName:
        """Return the wanted backend or what serves in its place, of all the fastest for `auto`, else the reference.

        Of those that are about as fast, it is the one that takes a query the shortest time.
        """
        named: set[str] = {wanted} if self.serves(wanted) else set(stand_ins(wanted))
        if wanted == AUTO:
            named = set(self.compared or [trial.backend for trial in self.trials])
        able = [trial for trial in self.trials if trial.refused is None and trial.backend in named]
        near = [trial for trial in able if _speed(trial) >= TIE * max(map(_speed, able))]
        return min(near, key=_query).backend if near else REFERENCE

    def _without(self, *trials: Trial) -> tuple[Trial, ...]:
        others = {trial.backend for trial in trials}
        return tuple(kept for kept in self.trials if kept.backend not in others)


def _speed(trial: Trial) -> float:
    return trial.texts_per_second or 0


def _query(trial: Trial) -> float:
    return trial.query_milliseconds or math.inf


class Records:
    """The record of a model for this machine, these libraries and this number of threads.

    Args:
        root: Folder of all records.
        digest: Digest of the model's files.
        threads: Threads of one batch.
        machine: What was measured on: one that got or lost a GPU is another one.
    """

    def __init__(self, root: Path, digest: str, threads: int, machine: Machine) -> None:
        described = (METHOD, digest, machine.devices, sorted(library_versions().items()), threads)
        key = hashlib.sha256(orjson.dumps(described)).hexdigest()[:32]
        self._path = root / f"{key}.json"
        self._lock = root / f"{key}.lock"
        root.mkdir(parents=True, exist_ok=True)

    def read(self) -> Record:
        """Return what was measured so far; nothing when the file is missing or damaged."""
        try:
            return Record.model_validate_json(self._path.read_bytes())
        except (FileNotFoundError, ValidationError):
            return Record()

    def write(self, record: Record) -> None:
        """Replace the record; a crash leaves the old one or the new one."""
        fresh = self._path.with_suffix(f".{os.getpid()}")
        with fresh.open("w") as file:
            file.write(record.model_dump_json(indent=2))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let one process measure at a time; the others wait and then find its results."""
        with self._lock.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
