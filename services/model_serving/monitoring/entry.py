"""From an answer to a row of the log."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import orjson

from mlplatform.monitoring.columns import PREDICTION, Column, Columns, take, to_columns
from mlplatform.monitoring.values import TEXT_LENGTH
from services.model_serving.calls import Served
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.monitoring.observer import Noted
from services.model_serving.monitoring.storable import storable, storable_text

NUMBERS = "biuf"
TIMES = "mM"


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of `prediction_log`, in the order of its columns."""

    tenant_id: str
    request_id: str
    at: datetime
    model: str
    version: str
    route: str
    rows: int
    positions: list[int] | None
    whole: bool
    inputs: str | None
    predictions: str | None
    error: str | None
    latency_ms: float
    queue_ms: float


def make_entry(noted: Noted, max_rows: int) -> Entry:
    """Make a row of the log; runs in a thread.

    Args:
        noted: An answer.
        max_rows: Rows of it that are kept.
    """
    served, policy = noted.served, noted.policy
    loaded = served.loaded
    inputs = {} if served.given is None else _inputs(served, loaded)
    inputs = {name: column for name, column in inputs.items() if not policy.hides(name)}
    predictions = {} if served.predictions is None else to_columns(served.predictions, single=PREDICTION)
    predictions = {name: column for name, column in predictions.items() if name not in policy.exclude}
    answers = _length(predictions)
    whole = loaded.input_rows is not None or (bool(answers) and answers != noted.rows)
    positions = None if noted.rows <= max_rows else _positions(noted.rows, max_rows, newest=whole)
    if positions is not None:
        inputs = take(inputs, positions)
        if not whole:
            predictions = take(predictions, positions)
    if whole and answers > max_rows:
        predictions = take(predictions, range(max_rows))
    return Entry(
        tenant_id=served.tenant,
        request_id=served.request_id,
        at=noted.at,
        model=served.identity.name,
        version=served.identity.version,
        route=served.route,
        rows=noted.rows,
        positions=positions,
        whole=whole,
        inputs=_render(inputs),
        predictions=_render(predictions),
        error=None if served.error is None else served.error.code,
        latency_ms=served.seconds * 1000,
        queue_ms=served.queue_seconds * 1000,
    )


def _inputs(served: Served, loaded: LoadedModel) -> Columns:
    given = served.given
    if given is None:
        return {}
    schema = loaded.declared.inputs if loaded.declared is not None else None
    names = schema.input_names() if schema is not None and schema.has_input_names() else []
    # `data` is built when first asked for, which belongs to the thread that predicts.
    return to_columns(given.data if given.matrix is None else given.matrix, [str(name) for name in names])


def _length(columns: Columns) -> int:
    return max((len(column) for column in columns.values()), default=0)


def _positions(rows: int, kept: int, *, newest: bool) -> list[int]:
    if newest:
        return list(range(rows - kept, rows))
    return [int(position) for position in np.linspace(0, rows - 1, kept).round()]


def _render(columns: Columns) -> str | None:
    if not columns:
        return None
    plain = {storable_text(name): _plain(column) for name, column in columns.items()}
    return orjson.dumps(plain, default=_other).decode()


def _plain(column: Column) -> list[object]:
    if column.dtype.kind in NUMBERS:
        return list(column.tolist())
    if column.dtype.kind in TIMES:  # as Python's own, for of nanoseconds there are none but integers
        column = column.astype(f"{column.dtype.kind}8[us]")
    return [storable(value, TEXT_LENGTH) for value in column.tolist()]


def _other(value: object) -> object:
    return f"({type(value).__name__})"  # no content of what this code does not know
