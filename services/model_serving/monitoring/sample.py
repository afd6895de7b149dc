"""From rows of the log to columns."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import orjson

from mlplatform.monitoring.columns import Columns


@dataclass(frozen=True, slots=True)
class Sample:
    """What was logged of a version within a window.

    Attributes:
        started_at: Time of the oldest row.
        rows: Rows of the inputs.
        inputs: Columns.
        predictions: Columns.
    """

    started_at: datetime
    rows: int
    inputs: Columns
    predictions: Columns


def read_sample(
    logged: Sequence[Mapping[str, Any]], *, ended_at: datetime, window: timedelta, minimum: int, history: bool
) -> Sample | None:
    """Put what was logged together, as far back as the window or, with few rows, as it takes to have enough.

    Args:
        logged: Rows of the log, newest first.
        ended_at: End of the window.
        window: Its length.
        minimum: Rows that it should have.
        history: Take the newest row of each call, since the rows of a history are those of its neighbours too.
    """
    kept: list[tuple[dict[str, list[Any]], dict[str, list[Any]]]] = []
    rows = 0
    started = ended_at
    for row in logged:
        if row["at"] < ended_at - window and rows >= minimum:
            break
        inputs = _read(row["inputs"])
        if history or row["whole"]:
            inputs = {name: values[-1:] for name, values in inputs.items()}
        predictions = _read(row["predictions"])
        rows += max((len(values) for values in (inputs or predictions).values()), default=0)
        started = row["at"]
        kept.append((inputs, predictions))
    if not kept:
        return None
    return Sample(started, rows, _join(inputs for inputs, _ in kept), _join(predictions for _, predictions in kept))


def _read(text: str | None) -> dict[str, list[Any]]:
    return {} if text is None else orjson.loads(text)


def _join(tables: Iterator[dict[str, list[Any]]]) -> Columns:
    joined: dict[str, list[Any]] = {}
    for table in tables:
        for name, values in table.items():
            joined.setdefault(name, []).extend(values)
    return {name: _column(values) for name, values in joined.items()}


def _column(values: list[Any]) -> np.ndarray[Any, np.dtype[Any]]:
    if all(type(value) is float or value is None for value in values):
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column
