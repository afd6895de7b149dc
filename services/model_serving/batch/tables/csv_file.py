"""CSV: its header, and ranges of it as blocks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
from mlflow.types.schema import DataType

from services.model_serving.batch.tables.block import Block
from services.model_serving.batch.tables.columns import Columns
from services.model_serving.batch.tables.conversion import (
    FALSE,
    MISSING,
    NATURAL,
    TRUE,
    Mask,
    label,
    leave_out,
    of_text,
    settle,
)
from services.model_serving.batch.tables.errors import TableRefused
from services.model_serving.batch.tables.lines import LineScanner

BOM = b"\xef\xbb\xbf"
MESSAGES: Mapping[DataType, str] = {
    DataType.double: "must be a number",
    DataType.float: "must be a number",
    DataType.long: "must be an integer",
    DataType.integer: "must be an integer",
    DataType.boolean: "must be true or false",
    DataType.string: "must be text in UTF-8",
    DataType.binary: "must be text in UTF-8",
    DataType.datetime: "must be text in UTF-8",
}
NOT_CSV = "The file is no CSV in UTF-8."
NO_HEADER = "The file has no line with the names of its columns in its first {} bytes."


@dataclass(frozen=True, slots=True)
class Header:
    """The first line.

    Attributes:
        names: Of the columns.
        stop: Where the first record begins.
    """

    names: Sequence[str]
    stop: int


def read_header(head: bytes, delimiter: str, *, is_whole: bool) -> Header:
    """Read the names of the columns.

    Args:
        head: How the file begins.
        delimiter: Between values.
        is_whole: Whether that is all of it.

    Raises:
        TableRefused: There are none.
    """
    start = len(BOM) if head.startswith(BOM) else 0
    scanner = LineScanner(start, delimiter)
    ends = scanner.scan(head[start:])
    stops = ends.offsets[~ends.blank]
    if not len(stops) and is_whole:
        last = scanner.finish()
        stops = last.offsets[~last.blank]
    if not len(stops):
        raise TableRefused(NO_HEADER.format(len(head)))
    stop = int(stops[0])
    line = head[start:stop] + b"\n"  # arrow takes a line without an end for none
    options = {"use_threads": False, "block_size": len(line) + 1}
    parse = pc.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    try:
        count = pc.read_csv(
            pa.BufferReader(line), pc.ReadOptions(autogenerate_column_names=True, **options), parse
        ).num_columns
        places = [f"{place}" for place in range(count)]
        table = pc.read_csv(
            pa.BufferReader(line),
            pc.ReadOptions(column_names=places, **options),
            parse,
            pc.ConvertOptions(column_types=dict.fromkeys(places, pa.string()), strings_can_be_null=False),
        )
        names = [column[0].as_py() for column in table.columns]
    except pa.ArrowException as error:
        raise TableRefused(NOT_CSV) from error
    if any("\0" in name for name in names):  # UTF-16, or no text at all
        raise TableRefused(NOT_CSV)
    return Header(names, stop)


def read_csv(content: bytes, records: int, header: Sequence[str], delimiter: str, columns: Columns) -> Block:
    """Read a range of whole records.

    Args:
        content: The range.
        records: How many are in it.
        header: Names of the columns.
        delimiter: Between values.
        columns: Of the model.

    Raises:
        TableRefused: The records cannot be told apart.
    """
    reader = _Reader(content, header, delimiter, columns)
    try:
        return settle(reader.read(records, {name: NATURAL[kind] for name, kind in columns.kinds.items()}), columns)
    except pa.ArrowInvalid:
        block = reader.read(records, dict.fromkeys(columns.kinds, pa.binary()))
    texts: dict[str, pa.Array] = {}
    wrong: list[tuple[str, Mask, str]] = []
    for name, kind in columns.kinds.items():
        if label(name) in block.table.column_names:
            column = block.table.column(label(name)).combine_chunks()
            texts[label(name)], bad = of_text(column, kind)
            if bad.any():
                wrong.append((str(name), bad, MESSAGES[kind]))
    return settle(leave_out(Block(block.rows, pa.table(texts), block.places, block.faults), wrong), columns)


class _Reader:
    def __init__(self, content: bytes, header: Sequence[str], delimiter: str, columns: Columns) -> None:
        self._content = content
        self._places = columns.find(header)
        self._names = [f"\0{place}" for place in range(len(header))]  # those of the file may be there twice
        self._delimiter = delimiter

    def read(self, records: int, types: Mapping[str | int, pa.DataType]) -> Block:
        """Read the model's columns as some types.

        Raises:
            ArrowInvalid: A value does not fit.
        """
        faults: dict[int, str] = {}

        def note(row: pc.InvalidRow) -> str:
            message = f"has {row.actual_columns} values; the table has {row.expected_columns} columns"
            faults[row.number - 1] = message
            return "skip"

        wanted = {self._names[place]: types[name] for name, place in self._places.items()}
        table = pc.read_csv(
            pa.BufferReader(self._content),
            pc.ReadOptions(column_names=self._names, use_threads=False, block_size=len(self._content) + 1),
            pc.ParseOptions(delimiter=self._delimiter, newlines_in_values=True, invalid_row_handler=note),
            pc.ConvertOptions(
                include_columns=list(wanted),
                column_types=wanted,
                null_values=MISSING,
                true_values=TRUE,
                false_values=FALSE,
                strings_can_be_null=False,
            ),
        )
        if table.num_rows + len(faults) != records:
            raise TableRefused("The lines of this part of the file cannot be told apart.")
        table = table.rename_columns([label(name) for name in self._places])
        places = np.setdiff1d(np.arange(records), list(faults)) if faults else None
        return Block(records, table, places, faults)
