"""Keeps the postings small and whole, beside the service."""

import asyncio
from datetime import timedelta

import psycopg

from mlplatform.database import Database
from mlplatform.errors import DependencyUnavailable
from mlplatform.events.outage import Outage, wait
from services.search import metrics
from services.search.lexical import repository

ITEMS_PER_BATCH = 500


class LexicalMaintenance:
    """Indexes the words of items that have none yet, joins small segments, takes out what is deleted.

    Every step is a transaction of its own, so nothing is lost or done twice when the service ends in between. Several
    replicas may run it: what one works on, the others pass over.

    Args:
        database: Where the items are.
        interval: Time between two looks when there is nothing to do.
    """

    def __init__(self, database: Database, *, interval: timedelta) -> None:
        self._database = database
        self._interval = interval
        self._stopping = asyncio.Event()
        self._outage = Outage("lexical maintenance")

    def stop(self) -> None:
        """Let `run` return after the step at hand."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until stopped, through outages of Postgres."""
        while not self._stopping.is_set():
            try:
                busy = await self.step()
            except (psycopg.Error, DependencyUnavailable) as error:
                await wait(self._stopping, self._outage.failed(error))
                continue
            self._outage.ended()
            if not busy:
                await wait(self._stopping, self._interval)

    async def step(self) -> bool:
        """Do what is next of each kind of work, once.

        Returns:
            Whether there was anything to do.

        Raises:
            psycopg.Error: Postgres does not answer, or a step took too long.
            DependencyUnavailable: No connection can be had.
        """
        async with self._database.transaction() as connection:
            indexed = await repository.index_anew(connection, ITEMS_PER_BATCH)
        async with self._database.transaction() as connection:
            merged = await repository.merge_segments(connection)
        async with self._database.transaction() as connection:
            purged = await repository.purge_postings(connection)
        for work, done in (("indexed_items", indexed), ("merged_segments", merged), ("purged_terms", purged)):
            metrics.MAINTAINED.labels(work).inc(done)
        return bool(indexed or merged or purged)

    async def settle(self) -> None:
        """Work until there is nothing left to do; for bulk loads, benchmarks and tests."""
        while await self.step():
            pass
