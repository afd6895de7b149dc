"""Writes the queue of answers to the log."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta

import psycopg
from structlog import get_logger

from mlplatform.database import Database
from mlplatform.errors import DependencyUnavailable
from mlplatform.events.outage import Outage, wait
from services.model_serving.monitoring import repository
from services.model_serving.monitoring.entry import Entry, make_entry
from services.model_serving.monitoring.metrics import LOG_DROPPED, LOG_WRITTEN
from services.model_serving.monitoring.observer import Noted, PredictionObserver

INTERVAL = timedelta(seconds=1)
BATCH = 500
ATTEMPTS = 3
DAYS_AHEAD = 3

log = get_logger(__name__)


class LogWriter:
    """A loop that empties the queue of an observer into Postgres.

    Args:
        observer: Where answers queue.
        database: Where the log is.
        max_rows: Rows of one request that are kept.
    """

    def __init__(self, observer: PredictionObserver, database: Database, *, max_rows: int) -> None:
        self._observer = observer
        self._database = database
        self._max_rows = max_rows
        self._outage = Outage("prediction log")
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Let `run` return after it has written what waits."""
        self._stopping.set()

    async def run(self) -> None:
        """Write until stopped. While Postgres is down the queue fills, and then drops."""
        while not self._stopping.is_set():
            await wait(self._stopping, INTERVAL)
            await self.flush()

    async def flush(self) -> None:
        """Write what waits."""
        while taken := self._observer.take(BATCH):
            entries = await asyncio.to_thread(self._render, taken)
            await self.write(entries)

    def _render(self, taken: Sequence[Noted]) -> list[Entry]:
        entries = []
        for noted in taken:
            try:
                entries.append(make_entry(noted, self._max_rows))
            except (
                ArithmeticError,
                AttributeError,
                LookupError,
                TypeError,
                ValueError,
            ) as error:  # an answer of a form that nobody thought of
                LOG_DROPPED.labels("unreadable").inc()
                log.warning("monitoring.unreadable", model=noted.served.identity.name, error=type(error).__name__)
        return entries

    async def write(self, entries: Sequence[Entry]) -> None:
        """Write entries, or count them as dropped; one that Postgres refuses goes without its neighbours."""
        for _ in range(ATTEMPTS):
            try:
                await self._copy(entries)
            except psycopg.errors.UndefinedTable:
                await self._make_partitions()
            except psycopg.DataError as error:
                if len(entries) == 1:
                    LOG_DROPPED.labels("unreadable").inc()
                    log.warning("monitoring.refused", model=entries[0].model, error=type(error).__name__)
                    return
                middle = len(entries) // 2
                await self.write(entries[:middle])
                await self.write(entries[middle:])
                return
            except (psycopg.Error, DependencyUnavailable) as error:
                await wait(self._stopping, self._outage.failed(error))
            else:
                self._outage.ended()
                LOG_WRITTEN.inc(sum(entry.rows for entry in entries))
                return
        LOG_DROPPED.labels("database").inc(len(entries))

    async def _copy(self, entries: Sequence[Entry]) -> None:
        days: dict[date, list[Entry]] = defaultdict(list)
        for entry in entries:
            days[entry.at.date()].append(entry)
        async with self._database.transaction() as connection:
            for day, of_day in days.items():
                await repository.copy_entries(connection, day, of_day)

    async def _make_partitions(self) -> None:
        try:
            async with self._database.transaction() as connection:
                await repository.create_partitions(connection, DAYS_AHEAD)
        except (psycopg.Error, DependencyUnavailable) as error:
            await wait(self._stopping, self._outage.failed(error))
