"""All results of a job in one file, in the order of the rows."""

import asyncio
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import pyarrow as pa
from psycopg import OperationalError

from mlplatform.database import Database
from mlplatform.errors import DependencyUnavailable
from mlplatform.settings import PlatformSettings
from services.model_serving.batch.tables import repository
from services.model_serving.batch.tables.fault import Fault
from services.model_serving.batch.tables.repository import Stored
from services.model_serving.batch.tables.results import TYPES, Format, from_object, schema_of, write
from services.model_serving.batch.tables.scoring import CODE, ERROR, ITEM, join_tables
from services.model_serving.batch.tables.storage import Storage

WINDOW = 32_768
"""Rows that are brought in order at a time."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What Postgres has of a job, in a process whose code is no coroutine.

    Attributes:
        database: Where it is.
        runner: What its coroutines run in.
        tenant: Whose job it is.
        job: The job.
    """

    database: Database
    runner: asyncio.Runner
    tenant: str
    job: UUID

    def look(self) -> tuple[int, Sequence[Stored]]:
        """Return the number of items, and the objects with results."""
        return self.runner.run(self._look())

    def failures(self, first: int, last: int) -> dict[int, Fault]:
        """Return what went wrong with the items of a range that failed."""
        return self.runner.run(self._failures(first, last))

    async def _look(self) -> tuple[int, Sequence[Stored]]:
        async with self.database.transaction(self.tenant) as connection:
            found = await repository.stored(connection, self.job)
            return await repository.items(connection, self.job), found

    async def _failures(self, first: int, last: int) -> dict[int, Fault]:
        async with self.database.transaction(self.tenant) as connection:
            return await repository.failures(connection, self.job, first, last)


def export(storage: Storage, ledger: Ledger, key: str, form: Format) -> int:
    """Write the file of a job to the store, and return its rows."""
    items, objects = ledger.look()
    schema = schema_of(_distinct(from_object(storage.get(one.key)).schema for one in objects))
    with tempfile.TemporaryFile() as file:
        for content in write(form, schema, _windows(storage, ledger, items, objects)):
            file.write(content)
        storage.put_file(key, file, TYPES[form])
    return items


@contextmanager
def open_ledger(settings: PlatformSettings, runner: asyncio.Runner, tenant: str, job: str) -> Iterator[Ledger]:
    """Open the ledger of a job for the time of the block.

    Raises:
        DependencyUnavailable: Postgres does not answer.
    """
    database = Database(settings.database_url.get_secret_value(), max_size=1, application_name="batch-export")
    runner.run(database.open())
    try:
        yield Ledger(database, runner, tenant, UUID(job))
    except OperationalError as error:
        raise DependencyUnavailable("postgres") from error
    finally:
        runner.run(database.close())


def _distinct(schemas: Iterable[pa.Schema]) -> list[pa.Schema]:
    return list(dict.fromkeys(schemas))


def _windows(storage: Storage, ledger: Ledger, items: int, objects: Sequence[Stored]) -> Iterator[pa.Table]:
    """Yield results in order; only the objects with items of a window are in memory."""
    waiting = list(objects)
    held: list[tuple[Stored, pa.Table]] = []
    for first in range(0, items, WINDOW):
        last = min(first + WINDOW, items) - 1
        while waiting and waiting[0].first <= last:
            one = waiting.pop(0)
            held.append((one, from_object(storage.get(one.key))))
        parts = [_between(table, first, last) for _, table in held]
        failed = ledger.failures(first, last)
        if failed:
            codes, reasons = zip(*failed.values(), strict=True)
            parts.append(pa.table({ITEM: list(failed), CODE: list(codes), ERROR: list(reasons)}))
        held = [(one, table) for one, table in held if one.last > last]
        parts = [part for part in parts if part.num_rows]
        if parts:
            yield join_tables(parts).sort_by(ITEM)


def _between(table: pa.Table, first: int, last: int) -> pa.Table:
    items = table.column(ITEM).to_numpy()
    start, stop = items.searchsorted(first), items.searchsorted(last, "right")
    return table.slice(start, stop - start)
