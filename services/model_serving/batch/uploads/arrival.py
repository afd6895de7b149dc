"""Uploads on their way: room is reserved before they are read, and nothing of them stays unless they become a job."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import psycopg
import structlog

from mlplatform.database import Database
from mlplatform.errors import Conflict, Overloaded, PlatformError
from services.model_serving.batch.quota.quota import QuotaExceeded
from services.model_serving.batch.uploads import repository
from services.model_serving.batch.uploads.removal import Removal
from services.model_serving.batch.uploads.room import Demand, Reserved, Room

RENEWALS = 4
"""In the time of a lease."""

log = structlog.get_logger(__name__)


class Arrival:
    """An upload under way.

    Args:
        database: Has its row.
        room: Where it reserves.
        tenant: Whose it is.
        demand: What it needs.

    Attributes:
        id: Its own.
        objects: How many of its keys may have been written.
        kept: Whether it has a job, so that its objects stay.
    """

    def __init__(self, database: Database, room: Room, tenant: str, demand: Demand) -> None:
        self.id: UUID = uuid4()
        self.objects = 0
        self.kept = False
        self._database = database
        self._room = room
        self._tenant = tenant
        self._demand = demand
        self._reserved = Reserved()
        self._size = 0
        self._file = 0
        self._refusal: PlatformError | None = None
        self._reserving = asyncio.Lock()

    async def begin(self) -> None:
        """Note it before anything of it is read, and reserve what it is sure to come to."""
        async with self._database.transaction(self._tenant) as connection:
            await repository.begin(connection, self.id, self._demand.files)
            await self._reserve(connection)

    async def cover(self, size: int, file: int) -> None:
        """Make sure that room is reserved for bytes before they are written anywhere.

        Args:
            size: How many it has in all.
            file: How many of these are in the file that comes now.

        Raises:
            QuotaExceeded: The tenant would have more than it may.
            Overloaded: There is no room on the disk for now.
            PayloadTooLarge: There never is.
            Conflict: It took so long that it was taken for broken off.
        """
        if self._refusal is not None:
            raise self._refusal
        self._size, self._file = size, file
        if not self._reserved.covers(size, file):
            async with self._reserving, self._database.transaction(self._tenant) as connection:
                await self._reserve(connection)

    async def renew(self) -> None:
        """Keep what is reserved until this is cancelled, also where no byte comes for long or S3 is slow.

        What lapsed, for Postgres was away, is reserved anew; where others have the room by now, `cover` says so.
        """
        while True:
            await asyncio.sleep(self._room.lease.total_seconds() / RENEWALS)
            try:
                async with self._reserving, self._database.transaction(self._tenant) as connection:
                    if not await repository.renew(connection, self.id, self._room.lease):
                        await self._reserve(connection)
                self._refusal = None
            except (Conflict, Overloaded, QuotaExceeded) as error:
                self._refusal = error
            except (psycopg.Error, PlatformError) as error:  # next time, or when it is to become a job
                log.warning("batch.upload_not_renewed", upload=str(self.id), reason=type(error).__name__)

    async def _reserve(self, connection: repository.Connection) -> None:
        self._reserved = await self._room.reserve(connection, self.id, self._demand, size=self._size, file=self._file)


class Arrivals:
    """Lets uploads in.

    Args:
        database: Notes them, so that none is forgotten.
        room: Where they reserve.
        removal: Deletes those that do not become jobs.
    """

    def __init__(self, database: Database, room: Room, removal: Removal) -> None:
        self._database = database
        self._room = room
        self._removal = removal

    @asynccontextmanager
    async def arriving(self, tenant: str, demand: Demand) -> AsyncIterator[Arrival]:
        """Let an upload in for the time of the block; nothing of it stays unless `kept` is set when that ends.

        Args:
            tenant: Whose it is.
            demand: What room it needs.

        Raises:
            QuotaExceeded: The tenant would have more than it may, by what the request declares.
            Overloaded: There is no room on the disk for now.
            PayloadTooLarge: There never is.
            DependencyUnavailable: Postgres does not answer.
        """
        arrival = Arrival(self._database, self._room, tenant, demand)
        await arrival.begin()
        renewing = asyncio.create_task(arrival.renew())
        try:
            yield arrival
        finally:
            renewing.cancel()
            if not arrival.kept:
                await to_the_end(self._discard(tenant, arrival))

    async def _discard(self, tenant: str, arrival: Arrival) -> None:
        try:
            await self._removal.remove(tenant, arrival.id, arrival.objects)
        except (psycopg.Error, PlatformError) as error:  # it is found later by its row
            log.warning("batch.upload_not_removed", upload=str(arrival.id), reason=type(error).__name__)


async def to_the_end(work: Coroutine[Any, Any, object]) -> None:
    """Do something to its end, also when whoever wants it goes away meanwhile: a thread writes on when nobody waits."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
