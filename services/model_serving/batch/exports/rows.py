"""Results that are rows of the database in one file, in the order of the items."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson
import pyarrow as pa
from psycopg.rows import DictRow

from services.model_serving.batch.exports import repository
from services.model_serving.batch.exports.answers import AnswerKinds, Types, columns_of
from services.model_serving.batch.tables.export import Ledger
from services.model_serving.batch.tables.results import TYPES, Format, write
from services.model_serving.batch.tables.scoring import CODE, ERROR, ITEM
from services.model_serving.batch.tables.storage import Storage

PAGE = 500
"""Results that are in memory at a time: what a model answers for an item may be long."""
NAME = "name"


class Rows:
    """The results of a job, read as often as they are asked for, a page at a time.

    Args:
        ledger: Of the job.
        check: Called before each page; raises to end the work.
        named: Whether its items are files, which have names.
    """

    def __init__(self, ledger: Ledger, check: Callable[[], None], *, named: bool) -> None:
        self._ledger = ledger
        self._check = check
        self._named = named

    def types(self) -> Types:
        """Return the columns of all answers."""
        kinds = AnswerKinds()
        for page, _ in self._pages(named=False):
            for row in page:
                if row["output"] is not None:
                    kinds.note(orjson.loads(row["output"]))
        return kinds.types()

    def schema(self, types: Types) -> pa.Schema:
        """Return the schema of the file: what was wrong comes last."""
        names = [(NAME, pa.string())] if self._named else []
        answers = [(name, kind or pa.string()) for name, kind in types.items()]
        return pa.schema([(ITEM, pa.int64()), *names, *answers, (CODE, pa.string()), (ERROR, pa.string())])

    def tables(self, types: Types) -> Iterator[pa.Table]:
        """Yield the rows of the file."""
        schema = self.schema(types)
        for page, names in self._pages(named=self._named):
            errors = [None if row["error"] is None else orjson.loads(row["error"]) for row in page]
            answers = [None if row["output"] is None else orjson.loads(row["output"]) for row in page]
            columns = {
                ITEM: [row["item"] for row in page],
                NAME: [names.get(row["item"]) for row in page],
                CODE: [error and error.get("code") for error in errors],
                ERROR: [error and _reason(error) for error in errors],
                **columns_of(answers, types),
            }
            yield pa.table([columns[name] for name in schema.names], schema=schema)

    def _pages(self, *, named: bool) -> Iterator[tuple[Sequence[DictRow], dict[int, str]]]:
        after = -1
        while True:
            self._check()
            page, names = self._ledger.runner.run(self._read(after, named=named))
            if page:
                yield page, names
            if len(page) < PAGE:
                return
            after = page[-1]["item"]

    async def _read(self, after: int, *, named: bool) -> tuple[Sequence[DictRow], dict[int, str]]:
        ledger = self._ledger
        async with ledger.database.transaction(ledger.tenant) as connection:
            page = await repository.results(connection, ledger.job, after=after, limit=PAGE, state=None)
            if not (page and named):
                return page, {}
            return page, await repository.names(connection, ledger.job, page[0]["item"], page[-1]["item"])


def export_rows(storage: Storage, rows: Rows, key: str, form: Format) -> None:
    """Write the file of a job to the store."""
    types = rows.types()
    with tempfile.TemporaryFile() as file:
        for content in write(form, rows.schema(types), rows.tables(types)):
            file.write(content)
        storage.put_file(key, file, TYPES[form])


def _reason(error: dict[str, Any]) -> str:
    """Return what was wrong with an item as a text."""
    fields = "; ".join(f"{wrong['field']}: {wrong['message']}" for wrong in error.get("errors", ()))
    return fields or str(error["detail"])
