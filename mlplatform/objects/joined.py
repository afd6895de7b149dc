"""Several objects as one file."""

import io
from collections.abc import Callable, Iterator, Sequence


class Joined(io.RawIOBase):
    """Reads objects one after the other, each when its turn comes.

    Args:
        head: What comes before them.
        keys: The objects.
        read: Reads one.
    """

    def __init__(self, head: bytes, keys: Sequence[str], read: Callable[[str], bytes]) -> None:
        self._keys = keys
        self._read = read
        self._contents = self._walk(head)
        self._left = b""

    def readable(self) -> bool:
        """Whether it can be read."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes: fewer than asked for only at the end."""
        parts = [self._left]
        length = len(self._left)
        while size < 0 or length < size:
            content = next(self._contents, None)
            if content is None:
                break
            parts.append(content)
            length += len(content)
        found = b"".join(parts)
        end = length if size < 0 else size
        self._left = found[end:]
        return found[:end]

    def _walk(self, head: bytes) -> Iterator[bytes]:
        yield head
        for key in self._keys:
            yield self._read(key)
