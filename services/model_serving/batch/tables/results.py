"""Results of rows: the object of each chunk, and all of them as the file that users fetch."""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.ipc
import pyarrow.parquet as pq

from services.model_serving.batch.tables.scoring import CODE, ERROR, ITEM, fit, join_schemas
from services.model_serving.engine.plain import render

Format = Literal["csv", "jsonl", "parquet"]
TYPES: Mapping[str, str] = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}
GROUP_ROWS = 131_072
"""Rows of a row group, unless it comes to `GROUP_SIZE` bytes before."""
GROUP_SIZE = 64 * 1024 * 1024

ENDS = pa.schema([(ITEM, pa.int64()), (CODE, pa.string()), (ERROR, pa.string())])
"""Columns that every file has; those of the answers are between the first one and the others."""

Results = Iterable[pa.Table]
Write = Callable[[pa.Schema, Results], Iterator[bytes]]


def to_object(results: pa.Table) -> bytes:
    """Write the results of a chunk."""
    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_stream(sink, results.schema, options=options) as writer:
        writer.write_table(results)
    return sink.getvalue()


def from_object(content: bytes) -> pa.Table:
    """Read the results of a chunk."""
    return pa.ipc.open_stream(content).read_all()


def numbered(results: pa.Table, items: npt.NDArray[np.int64]) -> pa.Table:
    """Return results by the numbers of the items in place of their places in a block."""
    return results.set_column(results.column_names.index(ITEM), ITEM, pa.array(items))


def schema_of(schemas: Iterable[pa.Schema]) -> pa.Schema:
    """Return the schema of a file with the results of several chunks: what was wrong comes last."""
    joined = join_schemas([ENDS, *schemas])
    names = [name for name in joined.names if name not in ENDS.names]
    return pa.schema([joined.field(name) for name in (ITEM, *names, CODE, ERROR)])


def write(form: Format, schema: pa.Schema, results: Results) -> Iterator[bytes]:
    """Write a file; one chunk is in memory at a time, or for Parquet as many as make a row group.

    Args:
        form: Of the file.
        schema: Of all results.
        results: Of the chunks, in their order.
    """
    plain = pa.schema([pa.field(entry.name, entry.type) for entry in schema])
    return _WRITERS[form](plain, (fit(table, plain) for table in results))


def _csv(schema: pa.Schema, results: Results) -> Iterator[bytes]:
    sink = io.BytesIO()
    pc.write_csv(schema.empty_table(), sink)
    yield sink.getvalue()
    for table in results:
        sink = io.BytesIO()
        pc.write_csv(table, sink, pc.WriteOptions(include_header=False))
        yield sink.getvalue()


def _jsonl(schema: pa.Schema, results: Results) -> Iterator[bytes]:
    for table in results:
        columns = [column.to_pylist() for column in table.columns]
        rows = zip(*columns, strict=True)
        yield b"".join(render(dict(zip(schema.names, row, strict=True))) + b"\n" for row in rows)


def _parquet(schema: pa.Schema, results: Results) -> Iterator[bytes]:
    sink = _Sink()
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        waiting: list[pa.Table] = []
        rows = size = 0
        for table in results:
            waiting.append(table)
            rows += table.num_rows
            size += table.nbytes
            if rows >= GROUP_ROWS or size >= GROUP_SIZE:
                writer.write_table(pa.concat_tables(waiting), row_group_size=rows)
                waiting, rows, size = [], 0, 0
                yield sink.take()
        if rows:
            writer.write_table(pa.concat_tables(waiting), row_group_size=rows)
    yield sink.take()


class _Sink(io.RawIOBase):
    """Where a writer writes, and from where the bytes are taken as they come."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, content: Any, /) -> int:  # noqa: ANN401 (any buffer)
        self._parts.append(bytes(content))
        self._size += len(self._parts[-1])
        return len(self._parts[-1])

    def tell(self) -> int:
        return self._size

    def take(self) -> bytes:
        """Return what was written since the last time."""
        content = b"".join(self._parts)
        self._parts.clear()
        return content


_WRITERS: Mapping[str, Write] = {"csv": _csv, "jsonl": _jsonl, "parquet": _parquet}
