"""Jobs of tables, as their owners submit them."""

import hashlib
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast

from mlplatform.auth import Principal
from mlplatform.errors import Conflict, NotFound, PayloadTooLarge
from mlplatform.idempotency import RepeatableRequest, StoredResponse
from mlplatform.objects import ObjectStore
from services.model_serving.batch.jobs.job import Job
from services.model_serving.batch.jobs.jobs import Jobs, Order
from services.model_serving.batch.jobs.repository import ChunkInput
from services.model_serving.batch.quota.quota import Quota
from services.model_serving.batch.tables import repository
from services.model_serving.batch.tables.csv_file import read_header
from services.model_serving.batch.tables.errors import TableRefused
from services.model_serving.batch.tables.parquet_file import NOT_PARQUET
from services.model_serving.batch.tables.results import Format
from services.model_serving.batch.tables.source import TYPE, Form, TableFile
from services.model_serving.batch.tables.tasks import HEAD
from services.model_serving.batch.uploads import repository as uploads
from services.model_serving.batch.uploads.arrival import Arrival, Arrivals, to_the_end
from services.model_serving.batch.uploads.removal import key_of
from services.model_serving.batch.uploads.room import CLOSE, IN_MEMORY, TOO_LATE, Demand
from services.model_serving.engine.identity import ModelIdentity

KIND = "table"


@dataclass(frozen=True, slots=True)
class TableOrder:
    """What a job is to do.

    Attributes:
        model: The version that scores it.
        alias: By which the caller named the version.
        forms: Of the files with the results.
        params: Parameters of the model.
        review_below: Rows with less confidence are reviewed.
        webhook: Where to tell of its end.
        report: Whether a report follows its end.
    """

    model: ModelIdentity
    alias: str | None
    forms: Sequence[Format]
    params: dict[str, Any] = field(default_factory=dict)
    review_below: float | None = None
    webhook: str | None = None
    report: bool = True


@dataclass(frozen=True, slots=True)
class Upload:
    """A table that was uploaded.

    Attributes:
        arrival: What becomes of it.
        content: A file without a name.
        size: Its bytes.
        sha256: Its digest.
    """

    arrival: Arrival
    content: BinaryIO
    size: int
    sha256: bytes


class Tables:
    """Takes tables.

    Args:
        jobs: Makes them.
        objects: Where tables are.
        arrivals: Lets uploads in, and deletes those that do not become jobs.
        quota: Of tenants.
        most: Bytes of an upload.

    Attributes:
        most: The same.
    """

    def __init__(self, jobs: Jobs, objects: ObjectStore, arrivals: Arrivals, *, quota: Quota, most: int) -> None:
        self._jobs = jobs
        self._objects = objects
        self._arrivals = arrivals
        self._quota = quota
        self.most = most

    @asynccontextmanager
    async def receiving(
        self, tenant: str, stream: AsyncIterator[bytes], *, declared: int | None = None, is_repeat: bool = False
    ) -> AsyncIterator[Upload]:
        """Take an upload, of which little is in memory; nothing of it stays after the block unless its arrival is kept.

        Args:
            tenant: Whose it is.
            stream: The table.
            declared: Its bytes, when the request says how many.
            is_repeat: Whether the answer to the request is known, so that nothing of it will be kept.

        Raises:
            PayloadTooLarge: It is larger than it may be.
            QuotaExceeded: The tenant would have more bytes than it may.
            Overloaded: There is no room on the disk for now.
        """
        if declared is not None and declared > self.most:
            raise self._too_large()
        digest = hashlib.sha256()
        size = 0
        demand = Demand(self.most, declared, is_repeat=is_repeat)
        async with self._arrivals.arriving(tenant, demand) as arrival:
            with tempfile.SpooledTemporaryFile(IN_MEMORY) as file:
                async for part in stream:
                    size += len(part)
                    if size > self.most:
                        raise self._too_large()
                    await arrival.cover(size, size)
                    digest.update(part)
                    file.write(part)
                yield Upload(arrival, cast("BinaryIO", file), size, digest.digest())

    def _too_large(self) -> PayloadTooLarge:
        return PayloadTooLarge(f"A table may have at most {self.most >> 20} MB.", headers=CLOSE)

    async def store(self, upload: Upload, form: Form, delimiter: str) -> TableFile:
        """Put an upload into the object store, under a name of ours.

        Raises:
            TableRefused: It does not begin, or end, as a table of its form does.
        """
        check_ends(upload.content, upload.size, form, delimiter)
        file = TableFile(key_of(upload.arrival.id, 0), form, delimiter)
        upload.content.seek(0)
        upload.arrival.objects = 1
        await to_the_end(self._objects.put_file(file.key, upload.content, upload.size))
        return file

    async def check_key(self, tenant: str, key: str) -> None:
        """Make sure that an object is there, and is the tenant's.

        Raises:
            NotFound: It is not.
        """
        if not key.startswith(f"tables/{tenant}/") or not await self._objects.exists(key):
            raise NotFound("There is no such object.")

    async def submit(
        self,
        principal: Principal,
        order: TableOrder,
        file: TableFile,
        repeatable: RepeatableRequest,
        *,
        request_id: str | None,
        upload: Upload | None = None,
    ) -> Job | StoredResponse:
        """Store a job that begins with the cutting of its table, and tell the workers.

        Args:
            principal: Whose it is.
            order: What to do.
            file: The table.
            repeatable: The request; sent again, it makes no second job.
            request_id: Under which logs know the request.
            upload: The table when it was uploaded; it is kept as long as the job.

        Raises:
            QuotaExceeded: The tenant has as much as it may have.
            Conflict: The upload took so long that it was taken for broken off.
        """

        async def within(connection: repository.Connection, job: Job) -> None:
            if upload is not None and not await uploads.keep(
                connection, upload.arrival.id, job.id, files=1, size=upload.size
            ):
                raise Conflict(TOO_LATE)
            await self._quota.check(connection)

        wanted = Order(
            order.model,
            alias=order.alias,
            params=order.params,
            review_below=order.review_below,
            webhook=order.webhook,
            report=order.report,
            finish=[{"type": TYPE, "forms": list(order.forms)}],
        )
        split = ChunkInput((), source=file.describe(), kind="split")
        submitted = await self._jobs.accept(
            principal, wanted, [split], kind=KIND, repeatable=repeatable, request_id=request_id, within=within
        )
        if upload is not None:
            upload.arrival.kept = isinstance(submitted, Job)
        return submitted


def check_ends(content: BinaryIO, size: int, form: Form, delimiter: str) -> None:
    """Refuse at once what is no table of its form.

    Raises:
        TableRefused: It is none.
    """
    content.seek(0)
    if form == "csv":
        read_header(content.read(HEAD), delimiter, is_whole=size <= HEAD)
    elif form == "parquet":
        head = content.read(4)
        content.seek(max(0, size - 4))
        if head != b"PAR1" or content.read(4) != b"PAR1":
            raise TableRefused(NOT_PARQUET)
