"""Columns of arrow to the types that a signature declares, row by row only where one does not fit.

The rules are those of JSON inputs: nothing may be lost, infinities are refused, and only floats, times and text may be
missing. What differs is said in the guide: in CSV, everything is text first.
"""

import base64
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from mlflow.types.schema import DataType

from services.model_serving.batch.tables.block import Block
from services.model_serving.batch.tables.columns import Columns
from services.model_serving.batch.tables.errors import TableRefused

Mask = npt.NDArray[np.bool_]
Settled = tuple[pa.Array, Mask | None, str]
"""A column, the rows in which it is wrong, and what is."""

INT32 = np.iinfo(np.int32)
FLOAT32 = float(np.finfo(np.float32).max)
FLOAT = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$|^(?i)[+-]?(inf|infinity|nan)$"
INTEGER = r"^[+-]?\d+$|^-?0[xX][0-9a-fA-F]+$"
"""At least what arrow reads, so that it is asked about little else."""
MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
"""What stands for no value in a column of CSV that is not text."""
TRUE, FALSE = ("true", "True", "TRUE", "1"), ("false", "False", "FALSE", "0")

NATURAL: dict[DataType, pa.DataType] = {
    DataType.double: pa.float64(),
    DataType.float: pa.float64(),
    DataType.long: pa.int64(),
    DataType.integer: pa.int64(),
    DataType.boolean: pa.bool_(),
    DataType.string: pa.string(),
    DataType.binary: pa.string(),
    DataType.datetime: pa.string(),
}
"""As what a column is read from text."""


def settle(block: Block, columns: Columns) -> Block:
    """Bring each column to the type that the model takes, and leave out the rows in which one does not fit.

    Args:
        block: Its table has columns of the types in `NATURAL`, or of those that Parquet has.
        columns: Of the model; the table's are named by `label`.

    Raises:
        TableRefused: A column is of a type that no value of the model's can come from.
    """
    settled: dict[str, pa.Array] = {}
    wrong: list[tuple[str, Mask, str]] = []
    for name, kind in columns.kinds.items():
        if label(name) not in block.table.column_names:
            continue
        array, bad, message = _SETTLE[kind](_whole(block.table.column(label(name))), str(name))
        settled[label(name)] = array
        if bad is not None and bad.any():
            wrong.append((str(name), bad, message))
    return leave_out(Block(block.rows, pa.table(settled), block.places, block.faults), wrong)


def leave_out(block: Block, wrong: list[tuple[str, Mask, str]]) -> Block:
    """Take the rows out of a block that are wrong, with the first reason of each.

    Args:
        block: The block.
        wrong: A column, its wrong rows and what is wrong with them.
    """
    if not wrong:
        return block
    any_wrong = np.logical_or.reduce([mask for _, mask, _ in wrong])
    places, faults = block.where(), dict(block.faults)
    for name, mask, message in reversed(wrong):
        for place in places[mask]:
            faults[int(place)] = f"{name}: {message}"
    return Block(block.rows, block.table.filter(pa.array(~any_wrong)), places[~any_wrong], faults)


def label(name: str | int) -> str:
    """Return how a column of a model is called in a block."""
    return str(name)


def of_text(texts: pa.Array, kind: DataType) -> tuple[pa.Array, Mask]:
    """Read values from the bytes of cells, as arrow reads a column of CSV, but each by itself.

    Returns:
        The values in the type of `NATURAL`, and where there is none to be read.
    """
    strings, bad = castable(texts, pa.string())
    natural = NATURAL[kind]
    if pa.types.is_string(natural):
        return strings, bad
    strings = pc.utf8_trim(strings, " \t")
    missing = _mask(pc.is_in(strings, pa.array(MISSING)))
    strings = _without(strings, missing)
    if pa.types.is_boolean(natural):
        true, false = _mask(pc.is_in(strings, pa.array(TRUE))), _mask(pc.is_in(strings, pa.array(FALSE)))
        return pa.array(true, mask=~(true | false)), bad | ~(true | false | missing)
    likely = _mask(pc.match_substring_regex(strings, FLOAT if pa.types.is_floating(natural) else INTEGER))
    values, unread = castable(_without(strings, ~likely), natural)
    unread |= ~likely & ~missing & ~bad
    if pa.types.is_integer(natural) and unread.any():
        values, unread = _whole_floats(strings, values, unread)
    return values, bad | unread


def castable(array: pa.Array, kind: pa.DataType) -> tuple[pa.Array, Mask]:
    """Cast what can be cast without loss, and say what cannot, which is null then."""
    try:
        return array.cast(kind), np.zeros(len(array), np.bool_)
    except pa.ArrowInvalid:
        if len(array) == 1:
            return pa.nulls(1, kind), np.ones(1, np.bool_)
        middle = len(array) // 2
        left, wrong_left = castable(array[:middle], kind)
        right, wrong_right = castable(array[middle:], kind)
        return pa.concat_arrays([left, right]), np.concatenate([wrong_left, wrong_right])


def _whole_floats(strings: pa.Array, values: pa.Array, unread: Mask) -> tuple[pa.Array, Mask]:
    """Read `2.0` as the integer 2, as pandas writes integers of which some are missing."""
    floats, _ = of_text(_without(strings, ~unread).cast(pa.binary()), DataType.double)
    whole, _ = castable(floats, pa.int64())
    found = unread & _mask(pc.is_valid(whole))
    return pc.if_else(pa.array(found), whole, values), unread & ~found


def _without(array: pa.Array, gone: Mask) -> pa.Array:
    return pc.if_else(pa.array(gone), pa.scalar(None, array.type), array)


def _mask(found: pa.Array) -> Mask:
    """Return where something is found; what is missing is not."""
    plain: Mask = found.fill_null(False).to_numpy(zero_copy_only=False)
    return plain


def _whole(column: pa.ChunkedArray) -> pa.Array:
    array = column.combine_chunks()
    array = pa.concat_arrays(array.chunks) if isinstance(array, pa.ChunkedArray) else array
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def _refused(array: pa.Array, name: str, wanted: str) -> TableRefused:
    return TableRefused(f"Column {name!r} holds {array.type}; the model takes {wanted}.")


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _double(array: pa.Array, name: str) -> Settled:
    if not _is_number(array.type) and not pa.types.is_null(array.type):
        raise _refused(array, name, "numbers")
    values = array if pa.types.is_float64(array.type) else array.cast(pa.float64(), safe=False)
    return values, _mask(pc.is_inf(values)), "must be finite and within the range of float64"


def _float(array: pa.Array, name: str) -> Settled:
    values, bad, _ = _double(array, name)
    bad = _mask(pc.greater(pc.abs(values), FLOAT32))
    return values.cast(pa.float32(), safe=False), bad, "must be finite and within the range of float32"


def _long(array: pa.Array, name: str) -> Settled:
    if not _is_number(array.type) and not pa.types.is_null(array.type):
        raise _refused(array, name, "integers")
    values, bad = (array, None) if pa.types.is_int64(array.type) else castable(array, pa.int64())
    if values.null_count:
        bad = _mask(pc.is_null(values))
    return values, bad, "must be an integer, and none may be missing"


def _integer(array: pa.Array, name: str) -> Settled:
    values, bad, _ = _long(array, name)
    beyond = _mask(pc.or_(pc.less(values, int(INT32.min)), pc.greater(values, int(INT32.max))))
    # The same whatever is wrong with the rows beside it, which depends on how the file is cut.
    message = "must be an integer within the range of int32, and none may be missing"
    return values.cast(pa.int32(), safe=False), beyond if bad is None else bad | beyond, message


def _boolean(array: pa.Array, name: str) -> Settled:
    if not pa.types.is_boolean(array.type) and not pa.types.is_null(array.type):
        raise _refused(array, name, "true or false")
    return array.cast(pa.bool_()), _mask(pc.is_null(array)), "must be true or false, and none may be missing"


def _string(array: pa.Array, name: str) -> Settled:
    if not _is_text(array.type) and not pa.types.is_null(array.type):
        raise _refused(array, name, "text")
    values, bad = castable(array, pa.string())
    return values, bad, "must be text in UTF-8"


def _binary(array: pa.Array, name: str) -> Settled:
    if pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type):
        return array.cast(pa.binary()), _mask(pc.is_null(array)), "may not be missing"
    texts, _, _ = _string(array, name)
    values = [_decode(text) for text in texts.to_pylist()]
    return pa.array(values, pa.binary()), np.array([value is None for value in values]), "must be base64 text"


def _datetime(array: pa.Array, name: str) -> Settled:
    kind = array.type
    if not (_is_text(kind) or pa.types.is_date(kind) or pa.types.is_null(kind)) and not (
        pa.types.is_timestamp(kind) and kind.tz is None
    ):
        raise _refused(array, name, "times without a time zone")
    if pa.types.is_string(kind):
        array = _without(array, _mask(pc.equal(array, "")))
    values, bad = castable(array, pa.timestamp("ns"))
    return values, bad, "must be an ISO 8601 date or time without a time zone, between 1678 and 2261"


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _decode(text: str | None) -> bytes | None:
    try:
        return None if text is None else base64.b64decode(text, validate=True)
    except ValueError:  # base64's own error, or that of a character beyond ASCII
        return None


_SETTLE: dict[DataType, Callable[[pa.Array, str], Settled]] = {
    DataType.double: _double,
    DataType.float: _float,
    DataType.long: _long,
    DataType.integer: _integer,
    DataType.boolean: _boolean,
    DataType.string: _string,
    DataType.binary: _binary,
    DataType.datetime: _datetime,
}
