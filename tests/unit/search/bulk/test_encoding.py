import gzip
import os
from collections.abc import AsyncIterator, Iterator, Sequence

import pytest

from mlplatform.errors import UnsupportedMediaType
from services.search.bulk.encoding import EXPANSION, EXPANSION_FREE, PIECE, Gunzip, check_coding, decoded
from services.search.bulk.errors import UploadRefused

TEXT = b"The curve inverted in July.\n" * 5000


async def sent(chunks: Sequence[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def read(content: bytes, size: int = 1000, coding: str = "gzip") -> bytes:
    chunks = [content[start : start + size] for start in range(0, len(content), size)]
    return b"".join([piece async for piece in decoded(sent(chunks), coding)])


def measure(pieces: Iterator[bytes], lengths: list[int]) -> None:
    lengths.extend(map(len, pieces))


class TestDecoded:
    @pytest.mark.parametrize("size", [1, 7, 1000, 10**6])
    async def test_gzip_is_expanded_however_it_is_cut(self, size):
        content = TEXT + os.urandom(10_000)

        assert await read(gzip.compress(content), size) == content

    async def test_members_one_after_the_other_are_one_content(self):
        assert await read(gzip.compress(b"one\n") + gzip.compress(TEXT) + gzip.compress(b"two\n")) == (
            b"one\n" + TEXT + b"two\n"
        )

    @pytest.mark.parametrize("length", [PIECE, 3 * PIECE, 3 * PIECE + 1])
    async def test_what_ends_with_a_full_piece_is_complete(self, length):
        assert len(await read(gzip.compress(bytes(length)), 10**6)) == length

    async def test_without_a_coding_the_body_is_the_content(self):
        assert await read(TEXT, coding="") == TEXT

    async def test_no_body_is_no_content(self):
        assert await read(b"") == b""

    async def test_what_is_no_gzip_is_refused(self):
        with pytest.raises(UploadRefused, match="no valid gzip"):
            await read(TEXT)

    async def test_what_is_cut_off_is_refused(self):
        with pytest.raises(UploadRefused, match="cut off"):
            await read(gzip.compress(TEXT)[:-20])


class TestGunzip:
    def test_a_bomb_is_refused_before_it_has_expanded(self):
        bomb = gzip.compress(bytes(20 * EXPANSION_FREE))
        pieces: list[int] = []

        with pytest.raises(UploadRefused, match="expands to more"):
            measure(Gunzip().feed(bomb), pieces)

        assert max(pieces) <= PIECE
        assert sum(pieces) <= max(EXPANSION_FREE, EXPANSION * len(bomb)) < 20 * EXPANSION_FREE


class TestCheckCoding:
    @pytest.mark.parametrize("coding", ["", "identity", "gzip", "GZIP", "x-gzip"])
    def test_accepted(self, coding):
        check_coding(coding)

    @pytest.mark.parametrize("coding", ["br", "deflate", "gzip, gzip", "zstd"])
    def test_refused_with_what_is_read(self, coding):
        with pytest.raises(UnsupportedMediaType) as refusal:
            check_coding(coding)
        assert refusal.value.headers == {"Accept-Encoding": "gzip"}
