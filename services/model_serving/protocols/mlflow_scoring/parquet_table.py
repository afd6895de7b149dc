"""A Parquet body to a DataFrame, without decoding more than a service can hold."""

import io
from collections.abc import Collection
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mlplatform.errors import BadRequest, PayloadTooLarge
from services.model_serving.parquet_pages import ENTRY, FOOTER, LENGTH, THRIFT, pages_of
from services.model_serving.signature.findings import refuse

NO_PARQUET = "The body is not a Parquet table as pandas writes it."
CELLS = 50_000_000
"""Most values of a table: a few bytes of it can stand for billions of equal ones."""
DECODED = 256 * 1024 * 1024
"""Most bytes of the columns that are read, decompressed and with each value written out."""
WIDTHS = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4, "INT96": 12}
WIDTH = 8
PAGE = 4096
"""What a page counts for at least: it takes time."""
EFFORT = 512
"""What each byte of a page's header counts for at least: it takes time too."""


def read_parquet(body: bytes, kinds: Collection[str], max_rows: int) -> pd.DataFrame:
    """Read the columns of the signature, or all when it names none; those of an index are left out.

    Args:
        body: As the caller sent it.
        kinds: Names of the signature's columns.
        max_rows: Most rows.

    Raises:
        BadRequest: It is no Parquet table.
        InvalidInputs: It has too many rows, a name twice, or a column of lists or objects.
        PayloadTooLarge: Decoded, it would take too much memory.
    """
    if int.from_bytes(body[LENGTH], "little") > FOOTER:
        raise PayloadTooLarge(f"The footer of the Parquet table is larger than {FOOTER} bytes; send fewer columns.")
    try:
        file = pq.ParquetFile(io.BytesIO(body), **THRIFT)
        names = _names(file, kinds, max_rows)
        read = {*names, *(name for name in file.schema_arrow.names if name.startswith(tuple(f"{n}." for n in names)))}
        leaves = [i for i in range(file.metadata.num_columns) if file.schema.column(i).path in read]
        _check_size(file, leaves, body)
        texts = [path for i in leaves if (path := file.schema.column(i).path) and _is_bytes(file, i)]
        file = pq.ParquetFile(io.BytesIO(body), read_dictionary=texts, **THRIFT)
        table = file.read(columns=names).select(names)
        frame: pd.DataFrame = _decode(table).to_pandas(ignore_metadata=True)  # a caller's metadata may be anything
    except (pa.ArrowException, OSError, ValueError, KeyError, RecursionError) as error:
        raise BadRequest(NO_PARQUET) from error
    return frame


def _names(file: pq.ParquetFile, kinds: Collection[str], max_rows: int) -> list[str]:
    metadata, schema = file.metadata, file.schema_arrow
    groups = sum(metadata.row_group(group).num_rows for group in range(metadata.num_row_groups))
    rows = max(metadata.num_rows, groups)
    if rows > max_rows or rows * metadata.num_columns > CELLS:
        raise refuse("body.inputs.rows", f"are {rows}; at most {max_rows} are scored at once")
    if len(set(schema.names)) != len(schema.names):
        raise refuse("body.inputs.columns", "has a name twice")
    index = _index(schema)
    names = [name for name in schema.names if name not in index and (not kinds or name in kinds)]
    for name in names:
        if pa.types.is_nested(schema.field(name).type):
            raise refuse(f"body.inputs.{name}", "is a list or an object: send it as JSON, not in a table")
    return names


def _index(schema: pa.Schema) -> set[str]:
    """Return the columns in which pandas wrote the index of a table."""
    metadata: Any = schema.pandas_metadata
    columns = metadata.get("index_columns") if isinstance(metadata, dict) else None
    return {name for name in columns if isinstance(name, str)} if isinstance(columns, list) else set()


def _check_size(file: pq.ParquetFile, leaves: list[int], body: bytes) -> None:
    size = 0
    for group in map(file.metadata.row_group, range(file.metadata.num_row_groups)):
        for leaf in leaves:
            chunk, column = group.column(leaf), file.schema.column(leaf)
            fixed = column.length if column.physical_type == "FIXED_LEN_BYTE_ARRAY" else None
            width = WIDTHS.get(chunk.physical_type, WIDTH) if fixed is None else fixed
            claimed = max(chunk.total_uncompressed_size, chunk.num_values * width, group.num_rows * width)
            size += max(claimed, _size_of_pages(chunk, body))
            _bound(size)


def _size_of_pages(chunk: pq.ColumnChunkMetaData, body: bytes) -> int:
    """Add up what the pages themselves say; the footer, which says less, may be forged."""
    first, dictionary = chunk.data_page_offset, chunk.dictionary_page_offset
    if dictionary is not None and 0 < dictionary < first:
        first = dictionary
    size = 0
    for page in pages_of(body, first, chunk.total_compressed_size, chunk.num_values):
        size += max(page.size, page.entries * ENTRY, page.effort * EFFORT, PAGE)
        if size > DECODED:
            break
    return size


def _is_bytes(file: pq.ParquetFile, leaf: int) -> bool:
    return str(file.schema.column(leaf).physical_type) == "BYTE_ARRAY"


def _decode(table: pa.Table) -> pa.Table:
    """Write dictionaries out, once it is known how long that makes their columns."""
    size = 0
    for column in table.columns:
        for chunk in column.chunks if pa.types.is_dictionary(column.type) else ():
            if chunk.dictionary.type.id in _BYTES:
                size += pc.sum(pc.binary_length(chunk.dictionary).take(chunk.indices)).as_py() or 0
    _bound(size)
    decoded = [
        column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        for column in table.columns
    ]
    return pa.table(decoded, names=table.column_names)


_BYTES = {kind.id for kind in (pa.string(), pa.binary(), pa.large_string(), pa.large_binary())}


def _bound(size: int) -> None:
    if size > DECODED:
        most = DECODED // 1024**2
        raise PayloadTooLarge(f"The Parquet table takes more than {most} MB when it is decoded; send fewer rows.")
