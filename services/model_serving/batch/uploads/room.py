"""Room for uploads under way: within the quota of their tenant, and on the disk of the machine that receives them.

It is reserved before bytes are read, in the row of the upload: what the request declares at once, else a portion at a
time. All processes count the same rows, one after the other.
"""

import socket
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from mlplatform.errors import Conflict, Overloaded, PayloadTooLarge
from services.model_serving.batch.quota import repository as quotas
from services.model_serving.batch.quota.quota import BYTES, Quota, exceeded
from services.model_serving.batch.settings import BatchSettings
from services.model_serving.batch.uploads import repository
from services.model_serving.batch.uploads.limits import MIB, readable

PORTION = 8 * MIB
"""Bytes that an upload of unknown length reserves beyond what it has."""
SHARE = 0.75
"""Of the disk, for one tenant that has several uploads under way."""
CLOSE = {"Connection": "close"}
FULL = "The service receives as many bytes of uploads as it has room for; try again shortly."
TOO_LATE = "The upload took too long and was removed; send it again."


@dataclass(frozen=True, slots=True)
class Demand:
    """How much room an upload needs.

    Attributes:
        at_a_time: Most bytes that are on the disk together.
        declared: Bytes of the request, when it says how many.
        beside: Of these, how many may be something else than files.
        is_repeat: Whether the answer to the request is known, so that nothing of it will be kept.
    """

    at_a_time: int
    declared: int | None = None
    beside: int = 0
    is_repeat: bool = False

    @property
    def least(self) -> int:
        """Bytes that are sure to come."""
        return max(0, (self.declared or 0) - self.beside)

    def wanted(self, size: int) -> int:
        """Return how many bytes to reserve for an upload that has so many."""
        return size + PORTION if self.declared is None else max(size, self.declared)


@dataclass(frozen=True, slots=True)
class Room:
    """Gives room.

    Attributes:
        quota: Of tenants.
        spool: Bytes that all uploads together may have on the disk of a machine.
        lease: How long a reservation stands that nobody renews.
        host: What this machine is called.
    """

    quota: Quota
    spool: int
    lease: timedelta
    host: str

    @classmethod
    def of(cls, settings: BatchSettings) -> "Room":
        """Return what the settings say."""
        spool = int(settings.batch_max_spool_size)
        return cls(Quota.of(settings), spool, settings.batch_upload_lease, socket.gethostname())

    async def reserve(self, connection: repository.Connection, upload: UUID, size: int, demand: Demand) -> int:
        """Reserve room for at least so many bytes of an upload, in the place of what it had; return for how many.

        Args:
            connection: In a transaction of the tenant, which is to end soon.
            upload: Has its row.
            size: Bytes that it has, or is sure to come to.
            demand: What it needs.

        Raises:
            QuotaExceeded: The tenant would have more than it may.
            Overloaded: There is no room on the disk for now.
            PayloadTooLarge: There never is.
            Conflict: The upload took so long that it was taken for broken off.
        """
        await quotas.lock(connection)
        taken = await repository.taken(connection, upload, self.host)
        granted = demand.wanted(size)
        if not demand.is_repeat:
            others = taken.kept + taken.reserved
            granted = min(granted, max(self.quota.size - others, 0))
            if granted < size:
                raise exceeded(BYTES, others + size, self.quota.size, headers=CLOSE)
        await repository.lock_spool(connection, self.host)
        least = min(size, demand.at_a_time)
        free = await self._free(connection, upload, taken.spooled, least)
        on_disk = min(granted, demand.at_a_time, free)
        if on_disk < demand.at_a_time:
            granted = on_disk
        if not await repository.reserve(connection, upload, self.host, size=granted, on_disk=on_disk, lease=self.lease):
            raise Conflict(TOO_LATE, headers=CLOSE)
        return granted

    async def _free(self, connection: repository.Connection, upload: UUID, of_tenant: int, least: int) -> int:
        """Return how many bytes an upload may have on the disk.

        Args:
            connection: Holds the lock.
            upload: The upload.
            of_tenant: What other uploads of the tenant have there.
            least: What it needs.
        """
        if least > self.spool:
            most = readable(self.spool)
            raise PayloadTooLarge(f"Uploads have {most} of disk here (ML_BATCH_MAX_SPOOL_SIZE).", headers=CLOSE)
        free = self.spool - await repository.spooled(connection, self.host, upload)
        if of_tenant:
            free = min(free, int(SHARE * self.spool) - of_tenant)
        free = max(free, 0)
        if free < least:
            raise Overloaded(FULL, headers=CLOSE)
        return free
