"""Uploads on their way to S3: looked at file by file, and gone again unless they become a job."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from tempfile import SpooledTemporaryFile
from typing import IO, Any, BinaryIO, cast

from starlette.requests import ClientDisconnect

from mlplatform.errors import FieldError
from mlplatform.objects import ObjectStore
from services.model_serving.batch.schemas import FilesRequest
from services.model_serving.batch.uploads.archive import list_archive
from services.model_serving.batch.uploads.arrival import Arrivals, to_the_end
from services.model_serving.batch.uploads.errors import BadArchive, BadForm, UnknownContent, UploadTooLarge
from services.model_serving.batch.uploads.form import Begin, End, Event, Form
from services.model_serving.batch.uploads.limits import FRAMING, Limits, readable
from services.model_serving.batch.uploads.received import Received
from services.model_serving.batch.uploads.removal import key_of
from services.model_serving.batch.uploads.room import CLOSE, IN_MEMORY, Demand
from services.model_serving.batch.uploads.sniff import HEAD, Media, describe, sniff

FIELD_SIZE = 64 * 1024
FIELDS = frozenset(FilesRequest.model_fields)
FILE_FIELD = "files"


class Receiver:
    """Takes uploads.

    Args:
        arrivals: Lets them in.
        objects: Where they go.
        limits: Of uploads.
    """

    def __init__(self, arrivals: Arrivals, objects: ObjectStore, limits: Limits) -> None:
        self._arrivals = arrivals
        self._objects = objects
        self._limits = limits

    @asynccontextmanager
    async def receiving(
        self,
        tenant: str,
        form: Form,
        stream: AsyncIterator[bytes],
        *,
        declared: int | None = None,
        is_repeat: bool = False,
    ) -> AsyncIterator[Received]:
        """Receive a form; nothing of it stays unless `kept` of its arrival is set when the block ends.

        Args:
            tenant: Whose it is.
            form: Understands the bytes.
            stream: The bytes.
            declared: How many they are, when the request says so.
            is_repeat: Whether the answer to the request is known, so that nothing of it will be kept.

        Raises:
            QuotaExceeded: The tenant would have more bytes than it may.
            Overloaded: There is no room on the disk for now.
            UploadTooLarge: A limit is broken.
            UnknownContent: No file is of a type that can be scored.
            BadArchive: Nothing can be scored, of which the first is an archive that is broken, or made to do harm.
            BadForm: The form is broken, or has other parts than it should have.
            DependencyUnavailable: S3 or Postgres does not answer.
        """
        limits = self._limits
        demand = Demand(limits.file_size, declared, FRAMING, limits.files, is_repeat)
        async with self._arrivals.arriving(tenant, demand) as arrival:
            received = Received(arrival)
            await _Reader(received, self._objects, limits).read(form, stream)
            yield received


class _Reader:
    """Reads one form into what was received."""

    def __init__(self, received: Received, objects: ObjectStore, limits: Limits) -> None:
        self._received = received
        self._objects = objects
        self._limits = limits
        self._unpacked = 0
        self._useless: list[UnknownContent | BadArchive] = []
        self._part: Begin | None = None
        self._text = b""
        self._size = 0
        self._digest = hashlib.sha256()
        self._spool: IO[bytes] | None = None

    async def read(self, form: Form, stream: AsyncIterator[bytes]) -> None:
        read = 0
        try:
            async for data in stream:
                read += len(data)
                if read > self._limits.form_size:  # what is no file counts too, and what comes behind the last one
                    raise UploadTooLarge(f"The form is larger than {self._limits.form_size} bytes.", headers=CLOSE)
                for event in form.feed(data):
                    await self._take(event)
            form.finish()
        except ClientDisconnect as error:
            raise BadForm("The form is cut off: its sender has gone away.") from error
        finally:
            self._close()
        if not self._received.files:
            raise _missing(FILE_FIELD, "has no file")
        if len(self._useless) == self._received.files:
            raise self._useless[0]

    async def _take(self, event: Event) -> None:
        match event:
            case Begin():
                self._begin(event)
            case End():
                await self._end()
            case data if self._spool is None:
                self._text += data
                if len(self._text) > FIELD_SIZE:
                    raise UploadTooLarge(f"A field has more than {readable(FIELD_SIZE)}.", headers=CLOSE)
            case data:
                await self._grow(data, self._spool)

    def _begin(self, part: Begin) -> None:
        known = FIELDS if part.filename is None else {FILE_FIELD}
        if part.name not in known or part.name in self._received.fields:
            message = f"may be sent once each: {', '.join(sorted(FIELDS))}; and files as {FILE_FIELD}"
            raise _missing("parts", message)
        self._part, self._text, self._size = part, b"", 0
        if part.filename is None:
            return
        if self._received.files == self._limits.files:
            raise UploadTooLarge(f"There are more than {self._limits.files} files.", headers=CLOSE)
        self._received.files += 1
        self._digest = hashlib.sha256()
        self._spool = cast("IO[bytes]", SpooledTemporaryFile(IN_MEMORY))  # noqa: SIM115 (it lasts until the part ends)

    async def _grow(self, data: bytes, spool: IO[bytes]) -> None:
        self._size += len(data)
        self._received.size += len(data)
        if self._size > self._limits.file_size:
            raise UploadTooLarge(f"A file is larger than {readable(self._limits.file_size)}.", headers=CLOSE)
        if self._received.size > self._limits.total_size:
            detail = f"The files are larger than {readable(self._limits.total_size)} together."
            raise UploadTooLarge(detail, headers=CLOSE)
        await self._received.arrival.cover(self._received.size, self._size)
        self._digest.update(data)
        spool.write(data)

    async def _end(self) -> None:
        part = self._part
        if part is None:
            raise BadForm("A part of the form ends before it begins.")
        self._part = None
        if self._spool is None:
            try:
                self._received.fields[part.name] = self._text.decode()
            except UnicodeDecodeError as error:
                raise _missing(part.name, "is no UTF-8") from error
            self._received.note(part.name.encode(), self._text)
            return
        self._received.note(part.name.encode(), self._digest.digest())
        await self._store(part.filename or "", self._spool)
        self._close()

    async def _store(self, name: str, spool: IO[bytes]) -> None:
        spool.seek(0)
        head = spool.read(HEAD)
        media = sniff(head)
        if media is None:
            self._useless.append(UnknownContent(f"No file can be scored; the first one is {describe(head)}."))
            detail = f"The file cannot be scored: it is {describe(head)}."
            self._received.items.append({"name": name, "error": [UnknownContent.code, detail]})
            return
        key = key_of(self._received.arrival.id, self._received.files - 1)
        items: list[dict[str, Any]] = [{"name": name, "key": key, "media": media}]
        if media is Media.ZIP:
            try:
                entries = await asyncio.to_thread(list_archive, cast("BinaryIO", spool), self._limits)
            except BadArchive as error:
                self._useless.append(error)
                self._received.items.append({"name": name, "error": [error.code, error.detail]})
                return
            items = [{"name": entry.name, "key": key, "place": entry.place} for entry in entries]
            self._unpacked += sum(entry.size for entry in entries)
            if self._unpacked > self._limits.total_size:
                raise UploadTooLarge(f"The archives unpack to more than {readable(self._limits.total_size)} together.")
        spool.seek(0)
        self._received.arrival.objects = self._received.files
        await to_the_end(self._objects.put_file(key, cast("BinaryIO", spool), self._size))
        self._received.items += items

    def _close(self) -> None:
        if self._spool is not None:
            self._spool.close()
            self._spool = None


def _missing(field: str, message: str) -> BadForm:
    return BadForm("The form has not the parts that it should have.", errors=[FieldError(f"body.{field}", message)])
