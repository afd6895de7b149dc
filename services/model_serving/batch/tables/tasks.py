"""What a process that scores does with tables: splits them into parts, and scores the rows of a part."""

import time
from collections.abc import Iterator, Sequence
from typing import BinaryIO, cast
from uuid import uuid4

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from mlplatform.errors import NotFound
from services.model_serving.batch.jobs.places import results_folder
from services.model_serving.batch.scoring.assignment import (
    Assignment,
    ChunkSpec,
    ItemResult,
    Report,
    Split,
    Unreadable,
    UnsureRow,
    Written,
)
from services.model_serving.batch.scoring.bench import Bench
from services.model_serving.batch.tables.block import Block
from services.model_serving.batch.tables.columns import Columns
from services.model_serving.batch.tables.csv_file import read_header
from services.model_serving.batch.tables.doubts import Doubts
from services.model_serving.batch.tables.errors import TableRefused
from services.model_serving.batch.tables.fault import Fault
from services.model_serving.batch.tables.lines import LineScanner
from services.model_serving.batch.tables.parquet_file import check_group, cut_parquet, open_parquet
from services.model_serving.batch.tables.ranges import Limits, cut_lines
from services.model_serving.batch.tables.reading import read_part
from services.model_serving.batch.tables.results import numbered, to_object
from services.model_serving.batch.tables.scoring import CODE, ERROR, ITEM, all_failed, score_block
from services.model_serving.batch.tables.source import TableFile, TablePart, file_of
from services.model_serving.batch.tables.storage import RemoteFile, Storage, open_storage

HEAD = 256 * 1024
"""Bytes in which the names of the columns must be: each chunk has them."""
LIMITS = Limits(size=8 * 1024 * 1024, records=32_768, longest=1024 * 1024)
GROUP_ROWS = 131_072
"""Of a part of Parquet: the rows before it in its group are decoded for each, and thrown away."""
TOO_LONG = f"The row is longer than {LIMITS.longest >> 20} MB, or a quote in it is never closed."
UNREADABLE = "unreadable_input"
"""The code of rows that were never looked at, since the part of the file that they are in cannot be read."""
GONE = "The file is not there any more."
TOO_MANY = "The table has more than {} rows (ML_BATCH_QUOTA_ITEMS), or says so; cut it into several."


def split_table(assignment: Assignment, bench: Bench) -> Report:
    """Cut a table into parts, whose rows are the items of the job."""
    file = file_of(assignment.source or {})
    model = bench.model()
    try:
        columns = Columns.of(model.declared)
        with open_storage(bench.settings) as storage:
            chunks: list[ChunkSpec] = []
            rows = 0
            for part in _parts(storage, file, columns):
                bench.check()
                rows += part.rows
                if rows > bench.settings.batch_quota_items:
                    return Unreadable(TOO_MANY.format(bench.settings.batch_quota_items))
                chunks.append(ChunkSpec(part.describe(), part.rows))
    except (TableRefused, NotFound) as error:
        return Unreadable(error.detail if isinstance(error, TableRefused) else GONE)
    return Split(chunks)


def score_table(assignment: Assignment, bench: Bench) -> Report:
    """Score rows of a part, and write what was answered."""
    source = assignment.source or {}
    part = TablePart.read(source)
    places = np.array(assignment.items) - source["first"]
    model = bench.model()
    columns = Columns.of(model.declared)
    below = assignment.review_below
    doubts = None if below is None else Doubts(below, columns, source["first"])
    begin = time.monotonic()
    with open_storage(bench.settings) as storage:
        try:
            block = read_part(storage, part, columns)
        except (TableRefused, NotFound) as error:
            detail = error.detail if isinstance(error, TableRefused) else GONE
            scored = all_failed(part.rows, Fault(UNREADABLE, detail))
        else:
            turn = bench.turn(time.monotonic() - begin)
            only = _only(block, places)
            scored = score_block(model, only, columns, assignment.params, bench.check, cut=turn, doubts=doubts)
        reached = places[places < scored.num_rows]
        return _write(storage, assignment, scored.take(pa.array(reached)), () if doubts is None else doubts.rows)


def _parts(storage: Storage, file: TableFile, columns: Columns) -> Iterator[TablePart]:
    if file.form == "parquet":
        yield from _groups(storage, file, columns)
        return
    size = storage.size(file.key)
    header: Sequence[str] = ()
    start, delimiter = 0, None
    if file.form == "csv":
        head = storage.read(file.key, 0, min(size, HEAD))
        found = read_header(head, file.delimiter, is_whole=size <= HEAD)
        columns.find(found.names)
        header, start, delimiter = tuple(found.names), found.stop, file.delimiter
    blocks = storage.blocks(file.key, start, size)
    for one in cut_lines(blocks, LineScanner(start, delimiter), LIMITS):
        fault = TOO_LONG if one.too_long else None
        yield TablePart(file, one.start, one.stop, one.records, header=header, fault=fault)


def _groups(storage: Storage, file: TableFile, columns: Columns) -> Iterator[TablePart]:
    content = cast("BinaryIO", RemoteFile(storage, file.key))
    opened = open_parquet(content, columns)
    faults: dict[int, str | None] = {}
    for one in cut_parquet(opened, GROUP_ROWS):
        if one.group not in faults:
            faults[one.group] = _fault(content, opened, one.group, columns)
        yield TablePart(file, one.start, one.start + one.rows, one.rows, group=one.group, fault=faults[one.group])


def _fault(content: BinaryIO, opened: object, group: int, columns: Columns) -> str | None:
    try:
        check_group(content, opened, group, columns)
    except TableRefused as error:
        return error.detail
    return None


def _only(block: Block, places: "np.typing.NDArray[np.int64]") -> Block:
    """Leave the model alone with rows that are not asked for, as one of them may have killed it."""
    if len(places) == block.rows:
        return block
    where = block.where()
    wanted = np.isin(where, places)
    return Block(block.rows, block.table.filter(pa.array(wanted)), where[wanted], block.faults)


def _write(storage: Storage, assignment: Assignment, scored: pa.Table, unsure: Sequence[UnsureRow]) -> Written:
    items = assignment.items[: scored.num_rows]
    rest = len(assignment.items) - len(items)
    results = numbered(scored, np.array(items))
    has_failed = pc.is_valid(results.column(ERROR))
    answered = results.filter(pc.invert(has_failed)).drop_columns([CODE, ERROR])
    failures = [
        ItemResult(one[ITEM], "failed", None, _error(one[CODE], one[ERROR]))
        for one in results.filter(has_failed).select([ITEM, CODE, ERROR]).to_pylist()
    ]
    if not answered.num_rows:
        return Written(None, 0, failures, rest)
    key = f"{results_folder(assignment.tenant, assignment.job)}/{uuid4()}"
    storage.put(key, to_object(answered))
    return Written(key, answered.num_rows, failures, rest, unsure)


def _error(code: str, detail: str) -> str:
    return orjson.dumps({"code": code, "detail": detail, "errors": []}).decode()
