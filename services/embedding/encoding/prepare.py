"""Try the backends of a model, in a process of its own: `python -m services.embedding.encoding.prepare SELECTION`.

Exports take several times the memory of the model, and a library that meets an instruction it does not know ends the
process; neither is to happen to the service. What was found out is on disk after each backend, so another process
goes on where this one ended.
"""

import os
import sys
from functools import cached_property
from typing import NamedTuple

import torch
from sentence_transformers import SentenceTransformer

from services.embedding.encoding.backend import OutOfMemory, Vectors
from services.embedding.encoding.comparison import Contender, compare
from services.embedding.encoding.graph import NotExpressibleError, check_expressible
from services.embedding.encoding.likeness import objection, similarities
from services.embedding.encoding.measuring import encode, query_milliseconds, texts_per_second
from services.embedding.encoding.names import COMPARISON, REFERENCE, BackendName
from services.embedding.encoding.opening import make_export, open_backend, timed_texts, trial_texts
from services.embedding.encoding.selection import Selection, obstacle
from services.embedding.encoding.tokens import Tokeniser, Tokens
from services.embedding.encoding.torch_backend import DEVICES, TorchBackend, load_model
from services.embedding.encoding.trials import Trial

MOST_ATTEMPTS = 2
NICE = 10


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
    """

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self._exports = selection.exports()
        self._records = selection.records()

    def run(self) -> None:
        """Do it, alone on this cache."""
        torch.set_num_threads(self._selection.threads)
        with self._records.alone():
            while (name := self._selection.next_candidate(self._records.read())) is not None:
                record = self._records.read().start(name)
                self._records.write(record)
                trial = self._try(name, record.attempts)
                self._records.write(self._records.read().add(trial))
            if finalists := self._selection.finalists(self._records.read()):
                self._compare(finalists)
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
            return Trial(backend=name, refused="it ended the process that tried it")
        if (reason := obstacle(name, self._selection.machine)) is not None:
            return Trial(backend=name, refused=reason)
        try:
            return self._measure(name)
        except (NotExpressibleError, OutOfMemory, ImportError, RuntimeError, OSError, ValueError) as error:
            words = str(error).strip() or type(error).__name__
            return Trial(backend=name, refused=words.splitlines()[0][:200])

    def _measure(self, name: BackendName) -> Trial:
        model, _, tokeniser, judged, expected, timed = self._reference
        if name not in DEVICES:
            check_expressible(model)
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
        make_export(name, self._selection, self._exports)
        return Contender(open_backend(name, self._selection, self._exports), budget)

    def _compare(self, finalists: tuple[BackendName, ...]) -> None:
        """Measure the fastest in turns; where that ends the process, what each did alone decides."""
        record = self._records.read().start(COMPARISON)
        self._records.write(record)
        trials: list[Trial] = []
        if record.attempts <= MOST_ATTEMPTS:
            contenders = {name: self._open(name) for name in finalists}
            reference = self._reference
            speeds = compare(contenders, reference.tokeniser, reference.timed, threads=self._selection.threads)
            trials = [trial.at(*speeds[trial.backend]) for trial in record.trials if trial.backend in speeds]
        self._records.write(record.compare(finalists, trials))


if __name__ == "__main__":
    os.nice(NICE)
    Preparation(Selection.model_validate_json(sys.argv[1])).run()
