"""Try the backends of a model, in a process of its own: `python -m services.embedding.encoding.prepare SELECTION`.

Exports take several times the memory of the model, and a library that meets an instruction it does not know ends the
process; neither is to happen to the service. What was found out is on disk after each backend, so another process
goes on where this one ended.
"""

import os
import signal
import sys
from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple

import torch
from sentence_transformers import SentenceTransformer

from services.embedding.encoding.backend import OutOfMemory, Vectors
from services.embedding.encoding.comparison import Contender, compare
from services.embedding.encoding.graph import NotExpressibleError, check_expressible
from services.embedding.encoding.likeness import objection, similarities
from services.embedding.encoding.measuring import encode, query_milliseconds, texts_per_second
from services.embedding.encoding.names import COMPARISON, REFERENCE, Attempt, BackendName
from services.embedding.encoding.opening import make_export, open_backend, timed_texts, trial_texts
from services.embedding.encoding.selection import Selection, obstacle
from services.embedding.encoding.tokens import Tokeniser, Tokens
from services.embedding.encoding.torch_backend import DEVICES, TorchBackend, load_model
from services.embedding.encoding.trials import Record, Trial

MOST_ATTEMPTS = 2
ATTEMPT_SECONDS = 1800
NICE = 10
GIVEN_UP = (
    "it twice ended the process that tried it, or took half an hour; "
    "to try it again, delete ML_HOME/cache/encoders/records"
)
FAILURES = (NotExpressibleError, OutOfMemory, ImportError, RuntimeError, OSError, ValueError)
"""Of a backend that may not serve for them."""


class _Reference(NamedTuple):
    """The model in fp32, and what it makes of the texts that backends are judged by."""

    model: SentenceTransformer
    backend: TorchBackend
    tokeniser: Tokeniser
    judged: list[Tokens]
    vectors: Vectors
    timed: list[Tokens]


class Preparation:
    """Tries what is not yet tried, and makes the export of the best.

    Args:
        selection: What to choose for, and from.
        before: Called before each attempt, whose number is on disk by then, and before the export of the best.
    """

    def __init__(self, selection: Selection, before: Callable[[], object] = lambda: None) -> None:
        self._selection = selection
        self._before = before
        self._exports = selection.exports()
        self._records = selection.records()

    def run(self) -> None:
        """Do it, alone on this cache."""
        torch.set_num_threads(self._selection.threads)
        with self._records.alone():
            while (name := self._selection.next_candidate(self._records.read())) is not None:
                record = self._start(name)
                self._records.write(record.add(self._try(name, record.attempts)))
            while finalists := self._selection.finalists(self._records.read()):
                self._compare(finalists)
            self._before()
            make_export(self._records.read().choose(self._selection.wanted), self._selection, self._exports)

    @cached_property
    def _reference(self) -> _Reference:
        model = load_model(self._selection.folder)
        tokeniser = Tokeniser.of(model)
        judged = tokeniser(trial_texts())
        backend = TorchBackend(model, REFERENCE)
        vectors = encode(backend, tokeniser, judged, self._selection.token_budget)
        return _Reference(model, backend, tokeniser, judged, vectors, tokeniser(timed_texts()))

    def _try(self, name: BackendName, attempts: int) -> Trial:
        if attempts > MOST_ATTEMPTS:
            return Trial(backend=name, refused=GIVEN_UP)
        if (reason := obstacle(name, self._selection.machine)) is not None:
            return Trial(backend=name, refused=reason)
        try:
            return self._measure(name)
        except FAILURES as error:
            return _refused(name, error)

    def _measure(self, name: BackendName) -> Trial:
        _, _, tokeniser, judged, expected, timed = self._reference
        backend, budget = self._open(name)
        vectors = encode(backend, tokeniser, judged, budget)
        cosines = similarities(vectors, expected)
        rate = texts_per_second(backend, tokeniser, timed, budget=budget, threads=self._selection.threads)
        return Trial(
            backend=name,
            cosine=round(float(cosines.mean()), 5),
            lowest_cosine=round(float(cosines.min()), 5),
            refused=objection(vectors, cosines),
        ).at(rate, query_milliseconds(backend, tokeniser))

    def _open(self, name: BackendName) -> Contender:
        budget = self._selection.budget(name)
        if name == REFERENCE:
            return Contender(self._reference.backend, budget)
        if name not in DEVICES:
            check_expressible(self._reference.model)
        make_export(name, self._selection, self._exports)
        return Contender(open_backend(name, self._selection, self._exports), budget)

    def _compare(self, finalists: tuple[BackendName, ...]) -> None:
        """Measure the fastest in turns; where that ends the process, what each did alone decides."""
        record = self._start(COMPARISON)
        if record.attempts > MOST_ATTEMPTS:
            self._records.write(record.compare(finalists, ()))
            return
        contenders: dict[BackendName, Contender] = {}
        for name in finalists:
            try:
                contenders[name] = self._open(name)
            except FAILURES as error:
                self._records.write(record.add(_refused(name, error)))
                return
        reference = self._reference
        speeds = compare(contenders, reference.tokeniser, reference.timed, threads=self._selection.threads)
        trials = [trial.at(*speeds[trial.backend]) for trial in record.trials if trial.backend in speeds]
        self._records.write(record.compare(finalists, trials))

    def _start(self, attempt: Attempt) -> Record:
        record = self._records.read().start(attempt)
        self._records.write(record)
        self._before()
        return record


def _refused(name: BackendName, error: Exception) -> Trial:
    words = str(error).strip() or type(error).__name__
    return Trial(backend=name, refused=words.splitlines()[0][:200])


if __name__ == "__main__":
    os.nice(NICE)
    # The alarm ends this process; waiting for another one to end its attempts is not counted.
    Preparation(Selection.model_validate_json(sys.argv[1]), lambda: signal.alarm(ATTEMPT_SECONDS)).run()
