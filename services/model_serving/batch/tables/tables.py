"""Jobs of tables, as their owners submit them."""

import hashlib
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import BinaryIO, cast
from uuid import UUID, uuid4

from mlplatform.auth import Principal
from mlplatform.database import Database
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
from services.model_serving.batch.uploads.receiving import to_the_end
from services.model_serving.batch.uploads.removal import Removal, key_of
from services.model_serving.engine.identity import ModelIdentity

KIND = "table"
SPOOL = 1024 * 1024
"""Bytes of an upload that are kept in memory; of more, all are in a file without a name."""


@dataclass(frozen=True, slots=True)
class TableOrder:
    """What a job is to do.

    Attributes:
        model: The version that scores it.
        alias: By which the caller named the version.
        file: The table.
        forms: Of the files with the results.
        webhook: Where to tell of its end.
        report: Whether a report follows its end.
    """

    model: ModelIdentity
    alias: str | None
    file: TableFile
    forms: Sequence[Format]
    webhook: str | None = None
    report: bool = True


@dataclass(frozen=True, slots=True)
class Upload:
    """What was uploaded.

    Attributes:
        content: A file without a name.
        size: Its bytes.
        sha256: Its digest.
    """

    content: BinaryIO
    size: int
    sha256: bytes


@dataclass(slots=True)
class StoredTable:
    """A table in the object store.

    Attributes:
        file: The table.
        upload: Under which it is noted.
        size: Its bytes.
        kept: Whether it has become a job.
    """

    file: TableFile
    upload: UUID
    size: int
    kept: bool = False


class Tables:
    """Takes tables.

    Args:
        database: Where jobs are.
        jobs: Makes them.
        objects: Where tables are.
        removal: Deletes uploads that do not become jobs.
        quota: Of tenants.
        most: Bytes of an upload.

    Attributes:
        most: The same.
    """

    def __init__(
        self, database: Database, jobs: Jobs, objects: ObjectStore, removal: Removal, *, quota: Quota, most: int
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._objects = objects
        self._removal = removal
        self._quota = quota
        self.most = most

    def check_size(self, declared: str) -> None:
        """Refuse an upload that says that it is larger than it may be.

        Raises:
            PayloadTooLarge: It does.
        """
        if declared.isdecimal() and int(declared) > self.most:
            raise self._too_large()

    def _too_large(self) -> PayloadTooLarge:
        return PayloadTooLarge(f"A table may have at most {self.most >> 20} MB.", headers={"Connection": "close"})

    @asynccontextmanager
    async def receive(self, stream: AsyncIterator[bytes]) -> AsyncIterator[Upload]:
        """Take an upload, of which little is in memory, for the time of the block.

        Raises:
            PayloadTooLarge: It is larger than it may be.
        """
        digest = hashlib.sha256()
        size = 0
        with tempfile.SpooledTemporaryFile(SPOOL) as file:
            async for part in stream:
                size += len(part)
                if size > self.most:
                    raise self._too_large()
                digest.update(part)
                file.write(part)
            yield Upload(cast("BinaryIO", file), size, digest.digest())

    @asynccontextmanager
    async def storing(self, tenant: str, upload: Upload, form: Form, delimiter: str) -> AsyncIterator[StoredTable]:
        """Put an upload into the object store, under a name of ours; it is gone after the block unless it is `kept`.

        Raises:
            TableRefused: It does not begin, or end, as a table of its form does.
        """
        check_ends(upload.content, upload.size, form, delimiter)
        number = uuid4()
        stored = StoredTable(TableFile(key_of(number, 0), form, delimiter), number, upload.size)
        async with self._database.transaction(tenant) as connection:
            await uploads.begin(connection, number, 1)
        try:
            upload.content.seek(0)
            await to_the_end(self._objects.put_file(stored.file.key, upload.content, upload.size))
            yield stored
        finally:
            if not stored.kept:
                await to_the_end(self._removal.remove(tenant, number))

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
        repeatable: RepeatableRequest,
        request_id: str | None,
        stored: StoredTable | None = None,
    ) -> Job | StoredResponse:
        """Store a job that begins with the cutting of its table, and tell the workers.

        Args:
            principal: Whose it is.
            order: What to do.
            repeatable: The request; sent again, it makes no second job.
            request_id: Under which logs know the request.
            stored: The table when it was uploaded; it is kept as long as the job.

        Raises:
            QuotaExceeded: The tenant has as much as it may have.
            Conflict: The upload took so long that it was taken for broken off.
        """

        async def within(connection: repository.Connection, job: Job) -> None:
            if stored is not None and not await uploads.keep(
                connection, stored.upload, job.id, files=1, size=stored.size
            ):
                raise Conflict("The upload took too long and was removed; send it again.")
            await self._quota.check(connection)

        finish = [{"type": TYPE, "forms": list(order.forms)}]
        wanted = Order(order.model, alias=order.alias, webhook=order.webhook, report=order.report, finish=finish)
        split = ChunkInput((), source=order.file.describe(), kind="split")
        submitted = await self._jobs.accept(
            principal, wanted, [split], kind=KIND, repeatable=repeatable, request_id=request_id, within=within
        )
        if stored is not None:
            stored.kept = isinstance(submitted, Job)
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
