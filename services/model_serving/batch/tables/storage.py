"""The object store in a process that scores, whose code is no coroutine."""

import asyncio
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from mlplatform.objects import ObjectStore
from mlplatform.settings import PlatformSettings

BLOCK = 4 * 1024 * 1024


class Storage:
    """Reads and writes objects; every method raises `DependencyUnavailable` when the server is away.

    Args:
        store: The object store.
        runner: What its coroutines run in.

    Attributes:
        runner: The same.
    """

    def __init__(self, store: ObjectStore, runner: asyncio.Runner) -> None:
        self._store = store
        self.runner = runner

    def size(self, key: str) -> int:
        """Return the bytes of an object.

        Raises:
            NotFound: Nothing has the key.
        """
        return self.runner.run(self._store.size(key))

    def read(self, key: str, start: int, stop: int) -> bytes:
        """Return a part of an object."""
        return self.runner.run(self._store.get_range(key, start, stop - start)) if stop > start else b""

    def get(self, key: str) -> bytes:
        """Return an object."""
        return self.runner.run(self._store.get(key))

    def blocks(self, key: str, start: int, stop: int) -> Iterator[bytes]:
        """Walk over a part of an object."""
        for first in range(start, stop, BLOCK):
            yield self.read(key, first, min(first + BLOCK, stop))

    def put(self, key: str, content: bytes) -> None:
        """Write an object."""
        self.runner.run(self._store.put(key, content))

    def put_file(self, key: str, file: BinaryIO, content_type: str) -> None:
        """Write an object of all that is in a file."""
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        self.runner.run(self._store.put_file(key, file, size, content_type))


@contextmanager
def open_storage(settings: PlatformSettings) -> Iterator[Storage]:
    """Open the store for the time of the block."""
    store = ObjectStore(settings)
    with asyncio.Runner() as runner:
        try:
            yield Storage(store, runner)
        finally:
            store.close()


class RemoteFile(io.RawIOBase):
    """An object as a file that can be read anywhere.

    Args:
        storage: Where it is.
        key: Of the object.
    """

    def __init__(self, storage: Storage, key: str) -> None:
        self._storage = storage
        self._key = key
        self._size = storage.size(key)
        self._position = 0

    def readable(self) -> bool:
        """Whether it can be read."""
        return True

    def seekable(self) -> bool:
        """Whether it can be read anywhere."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go somewhere."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        """Return where it is."""
        return self._position

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes: fewer than asked for only at the end."""
        stop = self._size if size < 0 else min(self._position + size, self._size)
        content = self._storage.read(self._key, self._position, stop)
        self._position += len(content)
        return content
