"""What is done now and then: chunks of dead workers are queued again, and old jobs are deleted."""

import asyncio
import time
from datetime import timedelta
from uuid import UUID

import psycopg
import structlog

from mlplatform.database import Database
from mlplatform.errors import PlatformError
from mlplatform.events.outage import Outage, wait
from mlplatform.objects import ObjectStore
from services.model_serving.batch.doorbell.celery_app import retain_interval
from services.model_serving.batch.jobs import repository as jobs
from services.model_serving.batch.jobs.places import results_folder
from services.model_serving.batch.uploads import repository as uploads
from services.model_serving.batch.work import repository
from services.model_serving.batch.work.burial import Burial

MOST = 100
"""Rows of one look."""
PATIENCE = 2
"""Intervals without a message from beat after which it is done without."""

log = structlog.get_logger(__name__)


class Upkeep:
    """Sweeps and deletes when beat says so, and without it when beat is silent.

    Args:
        database: Where the jobs are.
        objects: Where results are that are no rows.
        burial: Counts deaths.
        interval: Between two looks for ended leases.
        retention: How long a job is kept after its end.
    """

    def __init__(
        self, database: Database, objects: ObjectStore, burial: Burial, *, interval: timedelta, retention: timedelta
    ) -> None:
        self._database = database
        self._objects = objects
        self._burial = burial
        self._interval = interval
        self._retention = retention
        self._due = asyncio.Event()
        self._retain_at = time.monotonic()
        self._stopped = False

    def sweep(self) -> None:
        """Look for ended leases now."""
        self._due.set()

    def retain(self) -> None:
        """Delete old jobs now."""
        self._retain_at = time.monotonic()
        self._due.set()

    def stop(self) -> None:
        """Let `run` return soon."""
        self._stopped = True
        self._due.set()

    async def run(self) -> None:
        """Work until stopped, through outages of Postgres and S3."""
        outage = Outage("batch upkeep")
        while not self._stopped:
            self._due.clear()
            try:
                await self.bury_expired()
                if time.monotonic() >= self._retain_at:
                    await self.delete_old()
                    self._retain_at = time.monotonic() + PATIENCE * retain_interval(self._retention).total_seconds()
            except (psycopg.Error, PlatformError) as error:
                await wait(self._due, outage.failed(error))
                continue
            outage.ended()
            await wait(self._due, PATIENCE * self._interval)

    async def bury_expired(self) -> int:
        """Count a death for each chunk whose lease has ended, and return how many that were."""
        async with self._database.transaction() as connection:
            found = await repository.expired(connection, MOST)
        buried = [
            await self._burial.bury(claimed, "its worker let the lease end", noticed="lease", ended=True)
            for claimed in found
        ]
        return sum(buried)

    async def delete_old(self) -> int:
        """Delete jobs that ended longer ago than they are kept, and return how many that were."""
        deleted = 0
        while True:
            async with self._database.transaction() as connection:
                found = await repository.old(connection, self._retention, MOST)
            now = sum([await self._delete(tenant, job) for tenant, job in found])
            deleted += now
            if not now or len(found) < MOST:
                break
        if deleted:
            log.info("batch.deleted", jobs=deleted)
        return deleted

    async def _delete(self, tenant: str, job: UUID) -> bool:
        """Delete a job after the objects of its results, which nobody would find any more without it.

        Those of its upload, which has a row, are left to the sweep of uploads.
        """
        async with self._database.transaction(tenant, jobs.PATIENT) as connection:
            if not await jobs.lock_old(connection, job, self._retention):
                return False
            await self._objects.delete_under(results_folder(tenant, job))
            await uploads.release(connection, job)
            await jobs.delete(connection, job)
        return True
