"""What the client is yet to be told, in memory that does not grow with the upload."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import orjson

from mlplatform.errors import FieldError
from services.search.bulk.documents import Document
from services.search.bulk.errors import UploadStopped


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an upload is stored.

    Attributes:
        lines: Up to this line, what became of each is known and final.
        stored: Of these, those with an item.
        failed: Of these, those that are wrong. The others are empty.
    """

    lines: int = 0
    stored: int = 0
    failed: int = 0

    def body(self) -> dict[str, int]:
        """Return it on the wire."""
        return {"acknowledged": self.lines, "stored": self.stored, "failed": self.failed}


class Results:
    """Lines of JSON for the client, in order.

    Nobody waits for the client to read them: it may well read nothing before it has sent all. So acknowledgements that
    it has not been sent are replaced by later ones, and `Upload` bounds the errors.
    """

    def __init__(self) -> None:
        self._errors: list[bytes] = []
        self._progress: Progress | None = None
        self._last: bytes | None = None
        self._changed = asyncio.Event()

    def acknowledge(self, progress: Progress, wrong: Sequence[Document]) -> None:
        """Tell that everything up to a line is stored or refused for good.

        Args:
            progress: Up to where.
            wrong: The lines that were refused since the last acknowledgement.
        """
        self._errors += [_render({"line": each.number, "errors": _errors(each.errors)}) for each in wrong]
        self._progress = progress
        self._changed.set()

    def finish(self, upload: str, progress: Progress, end: UploadStopped | None) -> None:
        """Tell how it ended.

        Args:
            upload: Its name.
            progress: Up to where it is stored.
            end: Why the rest was not read; None when there is no rest.
        """
        told = {"status": "complete"} if end is None else {"status": end.status, "reason": end.reason}
        self._last = _render({**progress.body(), **told, "upload": upload})
        self._changed.set()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield what there is to tell, until it is finished."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            last = self._last
            parts, self._errors = self._errors, []
            if self._progress is not None and last is None:
                parts.append(_render(self._progress.body()))
            self._progress = None
            if last is not None:
                parts.append(last)
            if parts:
                yield b"".join(parts)
            if last is not None:
                return


def _errors(errors: Sequence[FieldError]) -> list[dict[str, str]]:
    return [{"field": error.field, "message": error.message} for error in errors]


def _render(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
