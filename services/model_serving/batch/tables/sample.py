"""What is in a table, and what was answered, as far as a report looks at it."""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson
import pyarrow as pa

from mlplatform.errors import NotFound
from services.model_serving.batch.tables.answers import JSON, PREDICTION
from services.model_serving.batch.tables.columns import Columns
from services.model_serving.batch.tables.errors import TableRefused
from services.model_serving.batch.tables.reading import read_part
from services.model_serving.batch.tables.results import from_object
from services.model_serving.batch.tables.scoring import ITEM
from services.model_serving.batch.tables.source import TablePart
from services.model_serving.batch.tables.storage import Storage

READ_ROWS = 1000
"""Answers that are in memory at a time, where they are objects."""


def read_answers(storage: Storage, keys: Iterable[str], most: int) -> Iterator[Any]:
    """Yield what was answered for the rows, as it would be for each of them alone.

    Args:
        storage: Where the objects are.
        keys: Of objects with results.
        most: Answers.
    """
    left = most
    for key in keys:
        if left <= 0:
            return
        table = from_object(storage.get(key)).drop_columns([ITEM]).slice(0, left)
        left -= table.num_rows
        yield from answers_in(table)


def answers_in(table: pa.Table) -> Iterator[Any]:
    """Yield what was answered for rows.

    Args:
        table: Columns as `columns_of` makes them.
    """
    names = [name.removeprefix(f"{PREDICTION}_") for name in table.column_names]
    for batch in table.to_batches(max_chunksize=READ_ROWS):
        columns = [_read(column) for column in batch.columns]
        if table.column_names == [PREDICTION]:
            yield from columns[0]
        else:
            yield from (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))


def read_rows(storage: Storage, sources: Iterable[dict[str, Any]], columns: Columns, most: int) -> list[dict[str, Any]]:
    """Return rows of a table, without those that cannot be read.

    Args:
        storage: Where it is.
        sources: Of chunks that were scored; a part that was tried again may come again.
        columns: Of the model.
        most: Rows.
    """
    found: list[dict[str, Any]] = []
    known: list[TablePart] = []
    for part in map(TablePart.read, sources):
        if len(found) >= most:
            break
        if part in known:
            continue
        known.append(part)
        try:
            block = read_part(storage, part, columns)
        except (TableRefused, NotFound):
            continue
        found += block.table.slice(0, most - len(found)).to_pylist()
    return found


def _read(column: pa.Array) -> list[Any]:
    values = column.to_pylist()
    return [_read_text(text) for text in values] if column.type == JSON else values


def _read_text(text: str | None) -> Any:  # noqa: ANN401 (what the JSON says)
    if text is None:
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:  # of rows whose answer is a text, beside others whose answer is none
        return text
