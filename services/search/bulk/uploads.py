"""The uploads that this process reads, and those that it knows of."""

from collections.abc import AsyncIterator
from typing import Any

from services.search.bulk import repository
from services.search.bulk.documents import NOTHING
from services.search.bulk.results import Progress
from services.search.bulk.slots import Slot, Slots
from services.search.bulk.upload import Upload, UploadParts
from services.search.errors import UploadNotFound


class Uploads:
    """All uploads, each tenant's apart.

    Args:
        parts: What an upload needs.
    """

    def __init__(self, parts: UploadParts) -> None:
        self._parts = parts
        settings = parts.settings
        self._slots = Slots(settings.search_bulk_uploads, settings.search_bulk_uploads_per_tenant)

    async def open(self, tenant: str, name: str) -> Upload:
        """Return the upload of this name, as far as it is stored, with a place to be read in.

        Raises:
            TooManyUploads: The process reads as many as it may, in all or of this tenant.
            DependencyUnavailable: No connection can be had.
            psycopg.OperationalError: Postgres does not answer.
        """
        slot = self._slots.take(tenant)
        try:
            return await self._find_or_add(tenant, name, slot)
        except BaseException:
            self._slots.free(slot)
            raise

    async def _find_or_add(self, tenant: str, name: str, slot: Slot) -> Upload:
        async with self._parts.database.transaction(tenant) as connection:
            await repository.add_upload(connection, name, NOTHING)
            row = await repository.find_upload(connection, name)
        if row is None:
            raise UploadNotFound("The upload was deleted at this moment; send it again.")
        progress = Progress(row["lines"], row["stored"], len(row["failed_lines"]))
        return Upload(self._parts, tenant, name, progress, bytes(row["sha256"]), slot=slot)

    async def run(self, upload: Upload, chunks: AsyncIterator[bytes]) -> None:
        """Read an upload to its end; `upload.results` tells how it goes."""
        try:
            await upload.run(chunks)
        finally:
            self._slots.free(upload.slot)

    async def find(self, tenant: str, name: str) -> dict[str, Any]:
        """Return how far an upload is stored.

        Raises:
            UploadNotFound: There is none of this name, or it was too long ago.
        """
        async with self._parts.database.transaction(tenant) as connection:
            row = await repository.find_upload(connection, name)
        if row is None:
            raise UploadNotFound("There is no upload of this name.")
        progress = Progress(row["lines"], row["stored"], len(row["failed_lines"]))
        return {
            "upload": name,
            **progress.body(),
            "failed_lines": row["failed_lines"],
            "complete": row["complete"],
            "updated_at": row["updated_at"],
        }
