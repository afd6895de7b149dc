"""Objects that belong to no job are deleted, whatever became of the upload that wrote them."""

import asyncio
import re
from datetime import timedelta
from uuid import UUID

import psycopg
import structlog

from mlplatform.database import Database
from mlplatform.errors import PlatformError
from mlplatform.events.outage import Outage, wait
from mlplatform.objects import ObjectStore
from services.model_serving.batch.uploads import repository

INTERVAL = timedelta(minutes=5)
MOST = 100
"""Uploads of one look."""

KEY = re.compile(r"batch/uploads/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/[0-9]{1,9}")

log = structlog.get_logger(__name__)


def key_of(upload: UUID, number: int) -> str:
    """Return the key of an object of an upload; nothing of it is what a caller said."""
    return f"batch/uploads/{upload}/{number}"


def upload_of(key: str) -> UUID | None:
    """Return to which upload a key belongs; None when it is no key of ours."""
    found = KEY.fullmatch(key)
    return None if found is None else UUID(found[1])


class Removal:
    """Deletes what uploads left behind.

    Args:
        database: Knows the uploads.
        objects: Where their objects are.
        grace: How long an upload without a job is left alone.
    """

    def __init__(self, database: Database, objects: ObjectStore, grace: timedelta) -> None:
        self._database = database
        self._objects = objects
        self._grace = grace
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """Let `run` return soon."""
        self._stopped.set()

    async def run(self) -> None:
        """Sweep until stopped, through outages of Postgres and S3."""
        outage = Outage("batch upload sweeper")
        while not self._stopped.is_set():
            try:
                await self.sweep()
            except (psycopg.Error, PlatformError) as error:
                await wait(self._stopped, outage.failed(error))
                continue
            outage.ended()
            await wait(self._stopped, INTERVAL)

    async def sweep(self) -> int:
        """Delete the objects of uploads without a job, and return how many uploads that were."""
        removed = 0
        while True:
            async with self._database.transaction() as connection:
                found = await repository.stale(connection, self._grace, MOST)
            now = sum([await self.remove(tenant, upload) for tenant, upload in found])
            removed += now
            if not now or len(found) < MOST:
                break
        if removed:
            log.info("batch.uploads_removed", uploads=removed)
        return removed

    async def remove(self, tenant: str, upload: UUID, most: int | None = None) -> bool:
        """Delete the objects of an upload, unless it has a job; False when it has, or nothing is known of it.

        The row says first that this is so, and goes last: whoever dies in between leaves it to be found.

        Args:
            tenant: Whose it is.
            upload: Its id.
            most: How many objects it has at most, where that is known; else the row says how many it may have.
        """
        async with self._database.transaction(tenant) as connection:
            objects = await repository.remove(connection, upload)
            if most and not objects and not await repository.is_noted(connection, upload):
                objects = most  # the sweep has removed it, and more was written since
        for number in range(objects if most is None else min(objects, most)):
            await self._objects.delete(key_of(upload, number))
        if objects:
            async with self._database.transaction(tenant) as connection:
                await repository.forget(connection, upload)
        return objects > 0
