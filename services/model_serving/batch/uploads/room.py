"""Room for uploads under way: within the quota of their tenant, and on the disk of the machine that receives them.

It is reserved before bytes are read, in the row of the upload: of the quota what the request declares at once, else a
portion at a time; of the disk a portion at a time, so that who sends slowly keeps no more of it from others than what
came. All processes count the same rows, one after the other.
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
"""Bytes that an upload reserves beyond what it has: of the disk, and when its length is unknown of the quota."""
IN_MEMORY = MIB
"""Bytes of a file that are held in memory; a larger one is on the disk, all of it, until it is in S3."""
SHARE = 0.75
"""Of the disk, for one tenant that has several uploads under way."""
CLOSE = {"Connection": "close"}
FULL = "The service receives as many bytes of uploads as it has room for; try again shortly."
TOO_LATE = "The upload took too long and was removed; send it again."


@dataclass(frozen=True, slots=True)
class Demand:
    """How much room an upload needs.

    Attributes:
        file_size: Most bytes of a file; one is on the disk at a time.
        declared: Bytes of the request, when it says how many.
        beside: Of these, how many may be something else than files.
        files: How many files it may have, each of which may come to a key.
        is_repeat: Whether the answer to the request is known, so that nothing of it will be kept.
    """

    file_size: int
    declared: int | None = None
    beside: int = 0
    files: int = 1
    is_repeat: bool = False

    @property
    def least(self) -> int:
        """Bytes that are sure to come."""
        return max(0, (self.declared or 0) - self.beside)

    @property
    def least_file(self) -> int:
        """Bytes that the largest file is sure to have."""
        return self.least // self.files

    def wanted(self, size: int) -> int:
        """Return how many bytes to reserve for an upload that has so many."""
        return size + PORTION if self.declared is None else max(size, self.declared)


@dataclass(frozen=True, slots=True)
class Reserved:
    """What an upload may come to before it has to reserve more.

    Attributes:
        size: Bytes in all.
        on_disk: Bytes of a file that is on the disk.
    """

    size: int = 0
    on_disk: int = 0

    def covers(self, size: int, file: int) -> bool:
        """Whether an upload may have so many bytes, and so many in the file that comes now."""
        return size <= self.size and _on_disk(file) <= self.on_disk


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

    async def reserve(
        self, connection: repository.Connection, upload: UUID, demand: Demand, *, size: int, file: int
    ) -> Reserved:
        """Reserve room for an upload, at least for what it has, in the place of what was reserved; return how much.

        Args:
            connection: In a transaction of the tenant, which is to end soon.
            upload: Has its row.
            demand: What it needs.
            size: Bytes that it has.
            file: Bytes of these in the file that comes now.

        Raises:
            QuotaExceeded: The tenant would have more than it may.
            Overloaded: There is no room on the disk for now.
            PayloadTooLarge: There never is.
            Conflict: The upload took so long that it was taken for broken off.
        """
        await quotas.lock(connection)
        taken = await repository.taken(connection, upload, self.host)
        granted, least = demand.wanted(size), max(size, demand.least)
        counted = 0
        if not demand.is_repeat:
            others = taken.kept + taken.reserved
            granted = counted = min(granted, max(self.quota.size - others, 0))
            if granted < least:
                raise exceeded(BYTES, others + least, self.quota.size, headers=CLOSE)
        on_disk = 0
        if least_on_disk := _on_disk(max(file, demand.least_file)):
            await repository.lock_spool(connection, self.host)
            free = await self._free(connection, upload, taken.spooled, least_on_disk)
            on_disk = min(file + PORTION, granted, demand.file_size, free)
        if not await repository.reserve(connection, upload, self.host, size=counted, on_disk=on_disk, lease=self.lease):
            raise Conflict(TOO_LATE, headers=CLOSE)
        return Reserved(granted, on_disk)

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


def _on_disk(file: int) -> int:
    """Return how many bytes of a file with so many are on the disk."""
    return file if file > IN_MEMORY else 0
