"""Whether two ways of calling a model are one, and whether its rows know nothing of each other."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from services.model_serving.errors import InvalidInputs
from services.model_serving.flavors.answers import count_rows, cut_rows, difference
from services.model_serving.flavors.derived import SEVERAL, Example
from services.model_serving.flavors.predictor import Candidate, Predict
from services.model_serving.signature import ModelInput, Signature

ROW_TOLERANCES = {2: 1e-2, 4: 1e-4, 8: 1e-9}
"""By bytes of a float: how far a row may be from the same row scored alone, relative to the largest of its answer.

A product of matrices adds up in another order for one row than for many, so bits cannot be asked for.
"""
EXAMPLE, REORDERED = "the input example", "reordered columns"


@dataclass(frozen=True, slots=True)
class Failure:
    """What a call raised, as far as two calls can be compared."""

    kind: type[BaseException]


class Proof:
    """What MLflow answers to a model's example and to inputs derived from it, against what others answer.

    Args:
        signature: what inputs are read with.
        ask_mlflow: `predict` of MLflow's form of the model, to compare with.
        params: the parameters of every call, as read.
        budget: seconds after which no further question is asked; what was not asked is not proven.
    """

    def __init__(
        self, signature: Signature, ask_mlflow: Callable[..., Any], params: dict[str, object] | None, *, budget: float
    ) -> None:
        self._signature = signature
        self._ask_mlflow = ask_mlflow
        self._params = params
        self._deadline = time.monotonic() + budget
        self._answers: list[tuple[str, ModelInput, object]] = []

    @property
    def asked(self) -> list[str]:
        """The names of the inputs that candidates are compared on."""
        return [name for name, _, _ in self._answers]

    def ask(self, inputs: object, example: Example | None) -> bool:
        """Ask MLflow everything that candidates will be compared on; false when time ran out before the end."""
        for name, given, reference in self._questions(inputs, example):
            if time.monotonic() > self._deadline:
                return False
            read = _outcome(self._signature.inputs.read, given)
            if read == Failure(InvalidInputs):  # a caller is told so, and no model is called
                continue
            if not isinstance(read, ModelInput):
                return False
            self._answers.append((name, read, _outcome(reference, read)))
        return True

    def objection(self, candidate: Candidate) -> str | None:
        """Say where a candidate answers differently; None when it never does."""
        for name, given, expected in self._answers:
            answer = _outcome(candidate.predict, given, self._params)
            if time.monotonic() > self._deadline:
                return "took too long to compare"
            if found := _compare(answer, expected, candidate.tolerance):
                return f"{found} for {name}"
        return None

    def row_objection(self, predict: Predict, example: Example) -> str | None:
        """Say why rows cannot be scored together; None when each comes out as if alone."""
        together = _outcome(self._score, predict, example.several())
        if isinstance(together, Failure):
            return f"several rows raise {together.kind.__name__}"
        if count_rows(together) != SEVERAL:
            return f"{SEVERAL} rows have {count_rows(together)} answers"
        for row, given in enumerate(example.apart()):
            if time.monotonic() > self._deadline:
                return "took too long to compare"
            alone = _outcome(self._score, predict, given)
            mine = cut_rows(together, row, row + 1)
            if found := _compare(mine, alone, ROW_TOLERANCES[narrowest_float(alone)]):
                return f"a row alone is answered otherwise than among others: {found}"
        return None

    def _questions(
        self, inputs: object, example: Example | None
    ) -> Iterator[tuple[str, object, Callable[[ModelInput], object]]]:
        yield EXAMPLE, inputs, self._through_mlflow
        if example is None:
            return
        for name, given in example.variants():
            yield name, given, self._through_mlflow
        turned = _turned(example.several())
        if turned is not None:
            yield REORDERED, turned, self._through_mlflow_reordered

    def _through_mlflow(self, given: ModelInput) -> object:
        return self._ask_mlflow(given.data, params=self._params)

    def _through_mlflow_reordered(self, given: ModelInput) -> object:
        """Hand MLflow the columns in the caller's order, which reading has put into that of the signature."""
        data = given.data
        if isinstance(data, pd.DataFrame):
            data = data[data.columns[::-1]]
        return self._ask_mlflow(data, params=self._params)

    def _score(self, predict: Predict, given: object) -> object:
        return predict(self._signature.inputs.read(given), self._params)


def narrowest_float(answer: Any) -> int:  # noqa: ANN401 (a model may answer anything)
    """Return the bytes of the least precise float in an answer, 8 when there is none."""
    if isinstance(answer, dict):
        return min(map(narrowest_float, answer.values()), default=8)
    if isinstance(answer, pd.DataFrame):
        return min((narrowest_float(answer.iloc[:, column]) for column in range(answer.shape[1])), default=8)
    if isinstance(answer, list | tuple):
        return min(map(narrowest_float, answer), default=8)
    dtype = getattr(answer, "dtype", None)
    return dtype.itemsize if isinstance(dtype, np.dtype) and dtype.kind == "f" else 8


def _outcome(work: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401 (a model may answer anything)
    try:
        return work(*arguments)
    except Exception as error:  # noqa: BLE001 (a model's code may raise anything, and is compared by it)
        return Failure(type(error))


def _compare(answer: object, expected: object, tolerance: float) -> str | None:
    if isinstance(answer, Failure) and isinstance(expected, Failure):
        return None if answer == expected else f"{answer.kind.__name__} in place of {expected.kind.__name__}"
    if isinstance(answer, Failure):
        return f"{answer.kind.__name__} in place of an answer"
    if isinstance(expected, Failure):
        return f"an answer in place of {expected.kind.__name__}"
    return difference(answer, expected, tolerance)


def _turned(inputs: object) -> object | None:
    if not isinstance(inputs, dict):
        return None
    return dict(reversed(inputs.items()))
