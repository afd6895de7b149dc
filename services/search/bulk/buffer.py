"""Between reading lines and storing them: what comes in while a batch is being stored is the next one."""

import asyncio

from services.search.bulk.documents import Document

LINES = 2000
"""Most lines that are stored together. Many share their words, and the rows of the lexical index with them."""
SIZE = 4 * 1024 * 1024
"""Bytes of lines that are stored together, about."""


class Buffer:
    """Holds the next batch."""

    def __init__(self) -> None:
        self._documents: list[Document] = []
        self._size = 0
        self._is_closed = False
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._has_some = asyncio.Event()

    async def put(self, document: Document) -> None:
        """Add a line; wait while the batch is full."""
        if not self._has_room.is_set():
            await self._has_room.wait()
        self._documents.append(document)
        self._size += document.size
        self._has_some.set()
        if len(self._documents) >= LINES or self._size >= SIZE:
            self._has_room.clear()

    async def take(self) -> list[Document]:
        """Return the lines that came since, once there are some; none when there will be no more."""
        await self._has_some.wait()
        taken, self._documents, self._size = self._documents, [], 0
        if not self._is_closed:
            self._has_some.clear()
        self._has_room.set()
        return taken

    def close(self) -> None:
        """Have `take` return nothing once it has returned everything."""
        self._is_closed = True
        self._has_some.set()
