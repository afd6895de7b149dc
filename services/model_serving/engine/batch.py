"""Requests of several callers, scored in one call of the model and told apart again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from services.model_serving.engine.loaded_model import LoadedModel, Params
from services.model_serving.signature import ModelInput

Outcome = Any | BaseException


@dataclass(frozen=True, slots=True)
class Request:
    """What one caller wants scored."""

    given: ModelInput
    params: Params


class NotRowWiseError(Exception):
    """The model's answer has not one entry per row, so it cannot be told whose is whose."""


def score(model: LoadedModel, requests: Sequence[Request]) -> list[Outcome]:
    """Score requests of equal layout together; blocks.

    When the model fails, halves are scored apart, and again, until only those requests fail that make it fail: one
    caller's inputs never spoil another's answer.

    Returns:
        An answer or an error for each request.
    """
    outcomes = score_together(model, requests)
    if outcomes is not None:
        return outcomes
    middle = len(requests) // 2
    return [*score(model, requests[:middle]), *score(model, requests[middle:])]


def score_together(model: LoadedModel, requests: Sequence[Request]) -> list[Outcome] | None:
    """Score requests in one call; None when it failed and the requests to blame must be found first."""
    try:
        return _together(model, requests)
    except BaseException as error:  # noqa: BLE001 (a model's code may raise anything; it is its caller's answer)
        return [error] if len(requests) == 1 else None


def _together(model: LoadedModel, requests: Sequence[Request]) -> list[Outcome]:
    first = requests[0]
    if len(requests) == 1:
        return [model.call(first.given, first.params)]
    joined = first.given.join([request.given for request in requests[1:]])
    # Not by `call`, which finds out whose fault an error is: that is asked of a request by itself.
    return _split(model.predict(joined, first.params), [request.given.rows for request in requests])


def _split(answer: Any, lengths: Sequence[int]) -> list[Outcome]:  # noqa: ANN401 (a model may answer anything)
    rows = sum(lengths)
    ends = np.cumsum(lengths).tolist()
    parts = [slice(end - length, end) for end, length in zip(ends, lengths, strict=True)]
    if isinstance(answer, dict):
        if any(_length(values) != rows for values in answer.values()):
            raise NotRowWiseError
        return [{name: values[part] for name, values in answer.items()} for part in parts]
    if _length(answer) != rows:
        raise NotRowWiseError
    if isinstance(answer, pd.DataFrame | pd.Series):
        return [answer.iloc[part].reset_index(drop=True) for part in parts]
    return [answer[part] for part in parts]


def _length(values: Any) -> int | None:  # noqa: ANN401 (a model may answer anything)
    if isinstance(values, np.ndarray):
        return len(values) if values.ndim else None
    return len(values) if isinstance(values, pd.DataFrame | pd.Series | list) else None
