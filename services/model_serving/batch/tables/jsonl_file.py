"""JSONL: ranges of it as blocks. Keys that the model has no column for are passed over."""

from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.json as pj
from mlflow.types.schema import DataType

from services.model_serving.batch.tables.block import Block
from services.model_serving.batch.tables.columns import Columns
from services.model_serving.batch.tables.conversion import NATURAL, label, settle
from services.model_serving.batch.tables.errors import TableRefused

UNLIKE = (b"NaN", b"Inf", b"\\ud", b"\\uD")
"""What arrow reads and JSON does not have; lines with these are read one by one."""
NOT_JSON = "is not a JSON object"
WANTED: dict[DataType, str] = {
    DataType.double: "must be a number",
    DataType.float: "must be a number",
    DataType.long: "must be an integer",
    DataType.integer: "must be an integer",
    DataType.boolean: "must be true or false",
    DataType.string: "must be text",
    DataType.binary: "must be base64 text",
    DataType.datetime: "must be text",
}


def read_jsonl(content: bytes, records: int, columns: Columns) -> Block:
    """Read a range of whole lines; a key that a line lacks is a value that is missing.

    Raises:
        TableRefused: The model's columns have no names.
    """
    if any(isinstance(name, int) for name in columns.kinds):
        raise TableRefused("The model's columns have no names, so objects cannot be read for it; send CSV or Parquet.")
    table = _table(content, records, columns)
    return settle(_by_line(content, columns) if table is None else Block(records, table), columns)


def _table(content: bytes, records: int, columns: Columns) -> pa.Table | None:
    """Read all lines at once; None when one of them is wrong, or is not the same to arrow as to JSON."""
    if not _is_plain(content):
        return None
    schema = pa.schema([(label(name), NATURAL[kind]) for name, kind in columns.kinds.items()])
    try:
        table = pj.read_json(
            pa.BufferReader(content),
            pj.ReadOptions(use_threads=False, block_size=len(content) + 1),
            pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
        )
        table.validate(full=True)
    except pa.ArrowInvalid:
        return None
    return table if table.num_rows == records else None


def _is_plain(content: bytes) -> bool:
    """Whether each line begins and ends like an object, so that none goes on in the next."""
    if any(mark in content for mark in UNLIKE):
        return False
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    array = np.frombuffer(content.rstrip(b"\r\n"), np.uint8)
    ends = np.flatnonzero(array == ord("\n"))
    starts = np.concatenate([[0], ends + 1])
    before = array[ends - 1]
    before = np.where(before == ord("\r"), array[ends - 2], before)
    return bool((array[starts] == ord("{")).all() and (before == ord("}")).all())


def _by_line(content: bytes, columns: Columns) -> Block:
    faults: dict[int, str] = {}
    lines = [line for line in content.split(b"\n") if line not in {b"", b"\r"}]
    rows: list[dict[str, Any]] = []
    places: list[int] = []
    for place, line in enumerate(lines):
        row, wrong = _read(line, columns)
        if row is None:
            faults[place] = wrong
        else:
            rows.append(row)
            places.append(place)
    table = {
        label(name): pa.array([row[str(name)] for row in rows], NATURAL[kind]) for name, kind in columns.kinds.items()
    }
    return Block(len(lines), pa.table(table), np.array(places, np.int64), faults)


def _read(line: bytes, columns: Columns) -> tuple[dict[str, Any] | None, str]:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None, NOT_JSON
    if not isinstance(row, dict):
        return None, NOT_JSON
    values: dict[str, Any] = {}
    for name, kind in columns.kinds.items():
        value = row.get(str(name))
        fits, values[str(name)] = (True, None) if value is None else _FITS[kind](value)
        if not fits:
            return None, f"{name}: {WANTED[kind]}"
    return values, ""


def _number(value: object) -> tuple[bool, object]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False, None
    return True, float(value)


def _integer(value: object) -> tuple[bool, object]:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    fits = isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63
    return fits, value


def _boolean(value: object) -> tuple[bool, object]:
    return isinstance(value, bool), value


def _text(value: object) -> tuple[bool, object]:
    return isinstance(value, str), value


_FITS: dict[DataType, Callable[[object], tuple[bool, object]]] = {
    DataType.double: _number,
    DataType.float: _number,
    DataType.long: _integer,
    DataType.integer: _integer,
    DataType.boolean: _boolean,
    DataType.string: _text,
    DataType.binary: _text,
    DataType.datetime: _text,
}
