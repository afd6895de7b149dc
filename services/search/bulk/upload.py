"""One upload: lines are read, stored in batches, and acknowledged."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import psycopg
import structlog
from starlette.requests import ClientDisconnect

from mlplatform.database import Database
from mlplatform.errors import DependencyUnavailable, FieldError
from mlplatform.events import BulkReindexRequest, OutboxRelay
from mlplatform.events.outage import Outage
from services.search.bulk import repository
from services.search.bulk.buffer import Buffer
from services.search.bulk.documents import NOTHING, WHOLE, Document, chained, read_document
from services.search.bulk.errors import UploadDiffers, UploadInterrupted, UploadRefused, UploadStopped, UploadTaken
from services.search.bulk.lines import Line, LineSplitter
from services.search.bulk.results import Progress, Results
from services.search.bulk.slots import Slot
from services.search.settings import SearchSettings
from services.search.writing import count_written, write_items

PATIENCE = timedelta(seconds=30)
"""How long to wait for Postgres with a batch."""
RETENTION = timedelta(days=7)
"""How long an upload can be asked for and gone on with."""
LINES_PER_TURN = 100
"""Lines read in one turn of the event loop, about a millisecond."""
# Postgres refuses what one line holds. ProgramLimitExceeded counts as operational and is none of it: a text can be too
# large for an index.
REFUSALS = (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.ProgramLimitExceeded)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class UploadParts:
    """What uploads need of the service.

    Attributes:
        database: Where the items go.
        relay: Publishes what was written.
        settings: What a line may hold, and how many may be wrong.
    """

    database: Database
    relay: OutboxRelay
    settings: SearchSettings


class Upload:
    """One upload, as far as it is stored.

    Each batch is stored in one transaction with the count of lines that it completes. After a lost connection, to
    Postgres or to the client, the count says exactly which lines are stored.

    Args:
        parts: What it needs.
        tenant: Whose items.
        name: Under which the client can ask for it, and go on with it.
        progress: What is stored already, of the same body when it was sent before.
        sha256: Digest of the lines that are stored already.
        slot: Its place among those that are read at a time.
    """

    def __init__(
        self, parts: UploadParts, tenant: str, name: str, progress: Progress, sha256: bytes, *, slot: Slot
    ) -> None:
        self.slot = slot
        self._parts = parts
        self._tenant = tenant
        self._name = name
        self._progress = progress
        self._stored_sha256 = sha256
        self._buffer = Buffer()
        self.results = Results()

    async def run(self, chunks: AsyncIterator[bytes]) -> None:
        """Read a body, store and acknowledge its lines, until its end or until it cannot go on."""
        reading = asyncio.create_task(self._read(chunks))
        end: UploadStopped | None = UploadInterrupted("The service failed or is stopping; send the same again.")
        try:
            while batch := await self._buffer.take():
                await self._store(batch)
            await reading
            await self._complete()
            end = None
        except UploadStopped as stopped:
            end = stopped
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            self.results.finish(self._name, self._progress, end)

    async def _read(self, chunks: AsyncIterator[bytes]) -> None:
        """Read lines into the buffer; those that an earlier request stored are only compared."""
        splitter = LineSplitter(int(self._parts.settings.search_bulk_line_size))
        already, sha256, number = self._progress.lines, NOTHING, 0
        try:
            async for line in _lines(chunks, splitter, self._parts.settings.body_timeout.total_seconds()):
                number = line.number
                sha256 = chained(sha256, line)
                if number > already:
                    await self._buffer.put(read_document(line, sha256, self._parts.settings))
                elif number == already and sha256 != self._stored_sha256:
                    raise UploadDiffers
                if number % LINES_PER_TURN == 0:
                    await asyncio.sleep(0)
            if number < already:
                raise UploadDiffers
        except ClientDisconnect as error:
            raise UploadInterrupted("The client broke off.") from error
        finally:
            self._buffer.close()

    async def _store(self, batch: Sequence[Document]) -> None:
        """Store a batch for good and acknowledge it; halve one that Postgres refuses, until a line stands alone.

        Raises:
            UploadStopped: It could not be stored, or too many lines are wrong.
        """
        try:
            await self._store_patiently(batch)
        except REFUSALS as error:
            if len(batch) > 1:
                middle = len(batch) // 2
                await self._store(batch[:middle])
                await self._store(batch[middle:])
                return
            log.warning("search.line_refused", line=batch[0].number, exc_info=error)
            refusal = FieldError(WHOLE, "cannot be stored: the database refuses it, and the log says why")
            await self._store([replace(batch[0], item=None, errors=[refusal])])

    async def _store_patiently(self, batch: Sequence[Document]) -> None:
        outage = Outage("bulk upload")
        give_up = time.monotonic() + PATIENCE.total_seconds()
        while True:
            try:
                await self._store_once(batch)
            except REFUSALS:
                raise
            except (psycopg.OperationalError, DependencyUnavailable) as error:
                delay = outage.failed(error).total_seconds()
                if time.monotonic() + delay > give_up:
                    reason = "Postgres is unavailable; send the same again, with the Idempotency-Key, to go on."
                    raise UploadInterrupted(reason) from error
                await asyncio.sleep(delay)
            else:
                outage.ended()
                return

    async def _store_once(self, batch: Sequence[Document]) -> None:
        wrong = [document for document in batch if document.errors]
        # The last line of an item counts, as if each had been stored alone.
        items = {document.item.key: document.item for document in batch if document.item is not None}
        stored = sum(document.item is not None for document in batch)
        last, before = batch[-1], self._progress
        after = Progress(last.number, before.stored + stored, before.failed + len(wrong))
        pending = []
        async with self._parts.database.transaction(self._tenant) as connection:
            if await repository.advance_upload(
                connection,
                self._name,
                before=before.lines,
                lines=after.lines,
                stored=stored,
                failed_lines=[document.number for document in wrong],
                sha256=last.sha256,
            ):
                if items:
                    pending = await write_items(connection, self._tenant, list(items.values()), BulkReindexRequest)
            else:
                row = await repository.find_upload(connection, self._name)
                # The batch may be stored although the answer to its commit was lost.
                if row is None or (row["lines"], bytes(row["sha256"])) != (after.lines, last.sha256):
                    raise UploadTaken
        self._parts.relay.wake()
        count_written(len(items), len(pending))
        self._progress = after
        self.results.acknowledge(after, wrong)
        if after.failed > self._parts.settings.search_bulk_errors:
            raise UploadRefused(
                f"More than {self._parts.settings.search_bulk_errors} lines are wrong, so the rest is not read."
            )

    async def _complete(self) -> None:
        try:
            async with self._parts.database.transaction(self._tenant) as connection:
                await repository.complete_upload(connection, self._name)
                await repository.prune_uploads(connection, RETENTION)
        except (psycopg.OperationalError, DependencyUnavailable) as error:
            # Every line is stored and told so; only the mark is missing, and sending the same again sets it.
            log.warning("search.upload_not_marked", upload=self._name, error=type(error).__name__)


async def _lines(chunks: AsyncIterator[bytes], splitter: LineSplitter, patience: float) -> AsyncIterator[Line]:
    """Yield the lines of a body.

    Args:
        chunks: The body.
        splitter: Splits it.
        patience: Seconds that it may pause.

    Raises:
        UploadInterrupted: Nothing came in for too long.
    """
    while True:
        try:
            async with asyncio.timeout(patience):
                chunk = await anext(chunks, None)
        except TimeoutError as error:
            raise UploadInterrupted(f"Nothing came in for {patience:g} seconds.") from error
        if chunk is None:
            break
        for line in splitter.feed(chunk):
            yield line
    for line in splitter.end():
        yield line
