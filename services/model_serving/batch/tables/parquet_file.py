"""Parquet: row groups cut into ranges, and ranges as blocks."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from services.model_serving.batch.tables.block import Block
from services.model_serving.batch.tables.columns import Columns
from services.model_serving.batch.tables.conversion import label, settle
from services.model_serving.batch.tables.errors import TableRefused
from services.model_serving.parquet_pages import ENTRY, FOOTER, LENGTH, PADDING, THRIFT, PageError, pages_of
from services.model_serving.signature.findings import listing

NOT_PARQUET = "The file is no Parquet table."
LARGE_FOOTER = f"The footer of the file is larger than {FOOTER} bytes; write fewer columns, or larger row groups."
NESTED = "The table has lists or objects in columns of the model: {}."
ODD = "Column {!r} holds {}, which no model takes; write numbers, text, times or true and false."
LYING = "Row group {} of the file cannot be read: its pages are not what the footer of the file says."
LARGE_PAGE = "Row group {} of the file has pages of more than {} MB; write it with smaller ones."
LARGE_GROUP = "Row group {} of the file has more than {} MB, decompressed; write the file with smaller row groups."
LARGE_ROWS = "Rows {} to {} of row group {} hold more than {} MB, written out; leave out columns, or shorten text."
PAGE = 64 * 1024 * 1024
"""Most bytes of a page in memory, decompressed: one of each column is there at a time."""
BUFFER = 1024 * 1024
"""Bytes that are read of a column at a time."""
COLUMN = 256 * 1024 * 1024
"""Most bytes of a column of a row group as it is in the file, whose pages are looked at before they are read."""
GROUP = 1024 * 1024 * 1024
"""Most bytes of the pages of a row group, decompressed."""
WRITTEN = 256 * 1024 * 1024
"""Most bytes of a range with each value written out: a few bytes can stand for thousands of long texts."""
PART = 64 * 1024 * 1024
"""About as many bytes as a range has, by what the footer says of its row group."""
FEWEST_ROWS = 1024
"""Of a range that is cut short for its size."""
BATCH_ROWS = 8192
"""Rows that are decoded at a time."""
BROKEN = (pa.ArrowException, OSError, ValueError, KeyError, RecursionError, MemoryError)


@dataclass(frozen=True, slots=True)
class GroupRange:
    """Rows of a row group, which is a chunk.

    Attributes:
        group: Number of the row group.
        start: First row in it.
        rows: How many.
    """

    group: int
    start: int
    rows: int


def open_parquet(file: BinaryIO, columns: Columns) -> pq.ParquetFile:
    """Open a file and look at its footer, which may say anything.

    Raises:
        TableRefused: It is no Parquet table, or one of other columns.
    """
    size = file.seek(0, 2)
    file.seek(max(size - 8, 0))
    tail = file.read(8)
    if tail[4:] != b"PAR1":
        raise TableRefused(NOT_PARQUET)
    if int.from_bytes(tail[LENGTH], "little") > FOOTER:
        raise TableRefused(LARGE_FOOTER)
    try:
        found = pq.ParquetFile(file, buffer_size=BUFFER, **THRIFT)
        schema = found.schema_arrow
    except BROKEN as error:
        raise TableRefused(NOT_PARQUET) from error
    places = columns.find(schema.names)
    if nested := [name for name, place in places.items() if pa.types.is_nested(schema.field(place).type)]:
        raise TableRefused(NESTED.format(listing(nested)))
    for name, place in places.items():
        if not _is_small(schema.field(place).type, found.schema.column(_leaf(found, place)).physical_type):
            raise TableRefused(ODD.format(name, schema.field(place).type))
    texts = [schema.names[place] for place in places.values() if _is_bytes(schema.field(place).type)]
    return pq.ParquetFile(file, metadata=found.metadata, read_dictionary=texts, buffer_size=BUFFER, **THRIFT)


def cut_parquet(file: pq.ParquetFile, records: int) -> Iterator[GroupRange]:
    """Cut a file into ranges of so many rows at most; of fewer where they are long."""
    for group in range(file.metadata.num_row_groups):
        found = file.metadata.row_group(group)
        rows = max(0, found.num_rows)
        most = min(records, max(FEWEST_ROWS, rows * PART // max(1, found.total_byte_size)))
        for start in range(0, rows, most):
            yield GroupRange(group, start, min(most, rows - start))


def check_group(content: BinaryIO, file: pq.ParquetFile, group: int, columns: Columns) -> None:
    """Look at what the pages of a row group say of themselves, before anything is decompressed.

    Args:
        content: The file.
        file: The same, opened.
        group: Number of the row group.
        columns: Of the model.

    Raises:
        TableRefused: They are not what the footer says, or too large.
    """
    leaves = [_leaf(file, place) for place in columns.find(file.schema_arrow.names).values()]
    _check_pages(content, file, group, leaves)


def read_parquet(file: pq.ParquetFile, part: GroupRange, columns: Columns) -> Block:
    """Read a range of a row group that was checked.

    Args:
        file: The file.
        part: The range.
        columns: Of the model.

    Raises:
        TableRefused: The row group is not what the footer says, or a column is of a wrong type.
    """
    places = columns.find(file.schema_arrow.names)
    names = [file.schema_arrow.names[place] for place in places.values()]
    try:
        batches = file.iter_batches(
            min(part.rows, BATCH_ROWS), row_groups=[part.group], columns=names, use_threads=False
        )
        table = _cut(batches, part)
    except BROKEN as error:
        raise TableRefused(LYING.format(part.group)) from error
    if table.num_rows != part.rows:
        raise TableRefused(LYING.format(part.group))
    table = table.select(names).rename_columns([label(name) for name in places])
    return settle(Block(part.rows, table), columns)


def _cut(batches: Iterable[pa.RecordBatch], part: GroupRange) -> pa.Table:
    """Return the rows of a range; those before it have to be decoded, but are let go of."""
    found: list[pa.RecordBatch] = []
    first = size = 0
    for batch in batches:
        begin, end = max(part.start - first, 0), min(part.start + part.rows - first, batch.num_rows)
        if begin < end:
            wanted = batch.slice(begin, end - begin)
            size += sum(_length(column) for column in wanted.columns)
            if size > WRITTEN:
                last = part.start + part.rows - 1
                raise TableRefused(LARGE_ROWS.format(part.start, last, part.group, WRITTEN >> 20))
            found.append(pa.record_batch([_decoded(column) for column in wanted.columns], batch.schema.names))
        first += batch.num_rows
        if first >= part.start + part.rows:
            break
    table = pa.Table.from_batches(found)
    table.validate(full=True)
    return table


def _check_pages(content: BinaryIO, file: pq.ParquetFile, group: int, leaves: Iterable[int]) -> None:
    found = file.metadata.row_group(group)
    size = 0
    for leaf in leaves:
        column = found.column(leaf)
        if column.num_values != found.num_rows:
            raise TableRefused(LYING.format(group))
        first, dictionary = column.data_page_offset, column.dictionary_page_offset
        if dictionary is not None and 0 < dictionary < first:
            first = dictionary
        if column.total_compressed_size > COLUMN:
            raise TableRefused(LARGE_PAGE.format(group, COLUMN >> 20))
        try:
            content.seek(first)
            body = content.read(max(column.total_compressed_size, 0) + PADDING)
            pages = list(pages_of(body, 0, column.total_compressed_size, column.num_values))
        except (PageError, OSError, ValueError, OverflowError) as error:
            raise TableRefused(LYING.format(group)) from error
        if any(max(page.size, page.entries * ENTRY, page.values) > PAGE for page in pages):
            raise TableRefused(LARGE_PAGE.format(group, PAGE >> 20))
        size += sum(page.size for page in pages)
        if size > GROUP:
            raise TableRefused(LARGE_GROUP.format(group, GROUP >> 20))


def _leaf(file: pq.ParquetFile, place: int) -> int:
    """Return which of the columns that are stored a flat one is: lists and objects before it may be several."""
    names = file.schema_arrow.names
    if file.metadata.num_columns == len(names):
        return place
    paths = [file.schema.column(leaf).path for leaf in range(file.metadata.num_columns)]
    return paths.index(names[place])


def _is_small(kind: pa.DataType, physical: str) -> bool:
    """Whether a value has a few bytes, or is text whose length can be seen before it is written out."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_decimal(kind):
        return physical != "BYTE_ARRAY"
    return _is_bytes(kind) or bool(pa.types.is_primitive(kind) or pa.types.is_null(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    return kind.id in _BYTES


_BYTES = frozenset(
    kind.id
    for kind in (pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary(), pa.binary_view())
)


def _length(column: pa.Array) -> int:
    """Return how many bytes a column has with each value written out."""
    if not pa.types.is_dictionary(column.type):
        return int(column.nbytes)
    if not _is_bytes(column.type.value_type):
        return 0
    return pc.sum(pc.binary_length(column.dictionary).take(column.indices)).as_py() or 0


def _decoded(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
