"""The content coding of an upload: none, or gzip that does not expand without bound."""

import zlib
from collections.abc import AsyncIterator, Iterator

from mlplatform.errors import UnsupportedMediaType
from services.search.bulk.errors import UploadRefused

GZIP = 16 + zlib.MAX_WBITS
PIECE = 64 * 1024
"""Bytes that are expanded at once."""
EXPANSION = 200
"""Most bytes that one sent byte may become. Text becomes 3 to 20; what expands further was made to."""
EXPANSION_FREE = 16 * 1024 * 1024
"""Bytes up to which an upload may expand by any factor."""
GZIP_NAMES = frozenset({"gzip", "x-gzip"})


class Gunzip:
    """Expands gzip, a piece at a time, also of several members one after the other."""

    def __init__(self) -> None:
        self._expander = zlib.decompressobj(GZIP)
        self._sent = 0
        self._expanded = 0

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield what a chunk expands to, in pieces.

        Raises:
            UploadRefused: It is no gzip, or expands too much.
        """
        self._sent += len(chunk)
        piece = b""
        # A full piece may leave something to come although all that was sent is consumed.
        while chunk or len(piece) == PIECE:
            if self._expander.eof:
                if not chunk:
                    return
                self._expander = zlib.decompressobj(GZIP)
            try:
                piece = self._expander.decompress(chunk, PIECE)
            except zlib.error as error:
                raise UploadRefused("The body is no valid gzip from here on.") from error
            chunk = self._expander.unconsumed_tail or self._expander.unused_data
            self._expanded += len(piece)
            if self._expanded > max(EXPANSION_FREE, EXPANSION * self._sent):
                raise UploadRefused(f"The body expands to more than {EXPANSION} times its size; send it as it is.")
            if piece:
                yield piece

    def end(self) -> None:
        """Make sure that nothing is missing.

        Raises:
            UploadRefused: The last member is cut off.
        """
        if self._sent and not self._expander.eof:
            raise UploadRefused("The body is cut off: its gzip has no end.")


async def decoded(chunks: AsyncIterator[bytes], coding: str) -> AsyncIterator[bytes]:
    """Yield the content of a body.

    Args:
        chunks: The body as it was sent.
        coding: Value of its Content-Encoding header, checked by `check_coding`.

    Raises:
        UploadRefused: It is not what the header says, or expands too much.
    """
    if coding.strip().lower() not in GZIP_NAMES:
        async for chunk in chunks:
            yield chunk
        return
    gunzip = Gunzip()
    async for chunk in chunks:
        for piece in gunzip.feed(chunk):
            yield piece
    gunzip.end()


def check_coding(coding: str) -> None:
    """Refuse a content coding that is not read.

    Raises:
        UnsupportedMediaType: It names the ones that are.
    """
    if coding.strip().lower() not in GZIP_NAMES | {"", "identity"}:
        raise UnsupportedMediaType(
            "Send the body as it is, or with Content-Encoding: gzip.", headers={"Accept-Encoding": "gzip"}
        )
