"""A CSV body to a DataFrame."""

import csv
import io
from typing import Any

import numpy as np
import pandas as pd
from mlflow.types.schema import DataType

from mlplatform.errors import BadRequest
from services.model_serving.errors import InvalidInputs
from services.model_serving.signature.findings import Findings, refuse

NO_CSV = "The body is not a CSV table in UTF-8 as pandas writes it."
MOST_OTHERS = 1000
"""Names that a header may have beside the signature's: each costs a column, for two bytes of the body."""
MOST_NAMES = 10_000
"""Names that a header may have for a model that names no columns."""
CELLS = 50_000_000
"""Most values of a table: an empty line of a wide one is filled up with missing values."""
PARSED: dict[DataType, type] = {
    DataType.boolean: np.bool_,
    DataType.integer: np.int64,  # pandas would wrap what int32 does not hold; the signature refuses it
    DataType.long: np.int64,
    DataType.float: np.float64,
    DataType.double: np.float64,
}
BOOLEANS = frozenset({"True", "TRUE", "true", "False", "FALSE", "false"})
"""The words that pandas takes for booleans."""


def read_csv(body: bytes, kinds: dict[str, Any], max_rows: int) -> pd.DataFrame:
    """Read a table; one that is too long keeps one row too many, for the signature to refuse it.

    Args:
        body: As the caller sent it.
        kinds: Name of a column → type in the signature; columns without one are inferred.
        max_rows: Most rows.

    Raises:
        BadRequest: It is no CSV.
        InvalidInputs: Its header does not fit, or a column cannot be converted.
    """
    try:
        text = body.decode()
        _check_header(next(csv.reader(io.StringIO(text)), []), text, kinds, max_rows)
        frame = _parse(text, kinds, max_rows + 1)
    except (UnicodeDecodeError, csv.Error, pd.errors.EmptyDataError, pd.errors.ParserError) as error:
        raise BadRequest(NO_CSV) from error
    if not isinstance(frame.index, pd.RangeIndex):  # values too many became an index, and columns shifted
        raise BadRequest("A line of the CSV table has more values than its first line has names.")
    return frame


def _check_header(names: list[str], text: str, kinds: dict[str, Any], max_rows: int) -> None:
    most = len(kinds) + MOST_OTHERS if kinds else MOST_NAMES
    if len(names) > most:
        raise refuse("body.inputs.columns", f"are {len(names)}; at most {most} are read for this model")
    if len(set(names)) != len(names):
        raise refuse("body.inputs.columns", "has a name twice")
    lines = min(text.count("\n") + text.count("\r"), max_rows + 1)
    if lines * len(names) > CELLS:
        raise refuse("body.inputs.rows", f"and columns make more than {CELLS} values; send fewer at once")


def _parse(text: str, kinds: dict[str, Any], rows: int) -> pd.DataFrame:
    types = {name: PARSED.get(kind, np.object_) for name, kind in kinds.items() if isinstance(kind, DataType)}
    try:
        return pd.read_csv(io.StringIO(text), dtype=types, nrows=rows)
    except pd.errors.EmptyDataError:
        raise
    except (ValueError, TypeError, OverflowError) as error:  # its message repeats the value
        raise _culprits(text, kinds, rows) or BadRequest(NO_CSV) from error


def _culprits(text: str, kinds: dict[str, Any], rows: int) -> InvalidInputs | None:
    """Find the columns that cannot be converted; None when that is not what is wrong."""
    frame = pd.read_csv(io.StringIO(text), dtype=str, nrows=rows)
    findings = Findings()
    for name in frame.columns:
        kind = kinds.get(name)
        if isinstance(kind, DataType) and kind in PARSED and not _converts(frame[name], PARSED[kind]):
            findings.add(f"body.inputs.{name}", f"must be {kind.to_numpy().name} in every row")
        if findings.full:
            break
    try:
        findings.raise_any()
    except InvalidInputs as error:
        return error
    return None


def _converts(column: "pd.Series[Any]", kind: type) -> bool:
    missing = column.isna()
    if kind is np.bool_:
        return bool(column.isin(BOOLEANS).all())
    numbers = pd.to_numeric(column, errors="coerce")
    if kind is np.int64:
        return not missing.any() and numbers.dtype == np.int64
    return bool((numbers.isna() == missing).all())
