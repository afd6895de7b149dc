"""Images are refused by what their headers say, before a pixel is made."""

import resource
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlplatform.media.scans import has_many_scans
from services.model_serving.batch.uploads.errors import FileError
from services.model_serving.batch.uploads.headers import orientation, read_header
from services.model_serving.batch.uploads.image import MOST_EXIF, check_image, read_image
from services.model_serving.batch.uploads.limits import MIB, Limits
from tests.unit.model_serving.batch.uploads.corpus import (
    chunk,
    exif,
    jpeg_with_scans,
    jpeg_with_segments,
    picture,
    png,
    webp,
)

LIMITS = Limits()
FORMATS = ["PNG", "JPEG", "GIF", "BMP", "WEBP"]
RED, BLUE = (255, 0, 0), (0, 0, 255)
SHORT = 3


FAILURES = frozenset({"broken_image", "no_image", "image_too_large", "bad_metadata"})


def outcome(content: bytes) -> str:
    try:
        return read_image(content, LIMITS).mode
    except FileError as error:
        return error.code


def refused(content: bytes) -> str:
    with pytest.raises(FileError) as caught:
        read_image(content, LIMITS)
    return caught.value.code


def gif_with_a_large_frame() -> bytes:
    content = bytearray(picture("GIF"))
    frame = content.index(b"\x2c", 13 + 3 * 2 ** ((content[10] & 7) + 1))
    struct.pack_into("<HHHH", content, frame + 1, 0, 0, 30_000, 30_000)
    return bytes(content)


def jpeg_that_says(width: int, height: int) -> bytes:
    content = bytearray(picture("JPEG"))
    struct.pack_into(">HH", content, content.index(b"\xff\xc0") + 5, height, width)
    return bytes(content)


class TestRead:
    @pytest.mark.parametrize("kind", FORMATS)
    def test_each_format(self, kind: str) -> None:
        content = picture(kind, (32, 16))
        header = check_image(content, LIMITS)
        assert (header.width, header.height) == (32, 16)
        image = read_image(content, LIMITS)
        assert (image.mode, image.size) == ("RGB", (32, 16))
        left, right = image.getpixel((2, 8)), image.getpixel((29, 8))
        assert min(left[0], right[2]) > 200
        assert max(left[2], right[0]) < 60

    @pytest.mark.parametrize("order", ["<", ">"])
    @pytest.mark.parametrize(("way", "size", "corner"), [(1, (8, 6), RED), (2, (8, 6), BLUE), (3, (8, 6), BLUE),
                                                         (6, (6, 8), RED), (8, (6, 8), BLUE)])  # fmt: skip
    def test_it_is_turned_as_the_camera_said(
        self, way: int, size: tuple[int, int], corner: tuple[int, int, int], order: str
    ) -> None:
        content = picture("PNG", exif=exif([(0x0112, SHORT, 1, way)], order=order))
        image = read_image(content, LIMITS)
        assert image.size == size
        assert image.getpixel((0, 0)) == corner

    @pytest.mark.parametrize("size", [(2, 2), (333, 2), (2, 333)])
    @pytest.mark.parametrize("kind", FORMATS)
    def test_headers_say_what_the_decoder_says(self, kind: str, size: tuple[int, int]) -> None:
        content = picture(kind, size)
        header = read_header(content)
        assert (header.width, header.height) == read_image(content, LIMITS).size == size


class TestBombs:
    @pytest.mark.parametrize(
        "content",
        [
            png(30_000, 30_000),
            png(1, 2**31 - 1),
            png(0xFFFFFFFF, 0xFFFFFFFF),
            webp(16_384, 16_384),
            webp(2**24, 2**24),
            b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + bytes(20),
            b"BM" + bytes(12) + struct.pack("<IiiHHI", 40, 30_000, -30_000, 1, 24, 0) + bytes(20),
            jpeg_that_says(30_000, 30_000),
            gif_with_a_large_frame(),
        ],
    )
    def test_many_pixels_are_never_decoded(self, content: bytes) -> None:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert refused(content) == "image_too_large"
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kilobytes; it would be 2.7 GB

    def test_metadata_of_many_segments(self) -> None:
        """Pillow puts EXIF segments together when it opens a file, and copies out what each of the tags claims."""
        tags = exif((tag, 7, 20 * MIB, 8) for tag in range(5000))
        segment = b"Exif\x00\x00" + tags
        content = jpeg_with_segments([segment, *[b"Exif\x00\x00" + bytes(65_000)] * 400])
        assert refused(content) == "bad_metadata"

    def test_metadata_of_one_chunk(self) -> None:
        content = png(8, 6, chunk(b"eXIf", exif((tag, 7, 20 * MIB, 8) for tag in range(5000)) + bytes(20 * MIB)))
        assert refused(content) == "bad_metadata"

    def test_scans_without_end_are_never_decoded(self) -> None:
        """Each is 23 bytes, and has the decoder go over all pixels."""
        assert refused(jpeg_with_scans(200_000, (4000, 4000))) == "image_too_large"

    def test_bytes_that_could_begin_a_marker_everywhere(self) -> None:
        assert not has_many_scans(b"\xff\xd8" + b"\xff" * 5_000_000)

    @pytest.mark.parametrize("more", [0, 50])
    def test_scans_as_programs_write_them(self, more: int) -> None:
        assert read_image(jpeg_with_scans(more), LIMITS).size == (8, 6)

    def test_what_only_looks_like_scans(self) -> None:
        hidden = b"\xff\xda\x00\x02" * 5000
        behind_its_end = picture("JPEG") + hidden
        in_a_comment = jpeg_with_segments([b"other" + hidden])
        assert read_image(behind_its_end, LIMITS).size == read_image(in_a_comment, LIMITS).size == (8, 6)

    def test_a_comment_that_unpacks_to_much(self) -> None:
        content = png(8, 6, chunk(b"zTXt", b"Comment\x00\x00" + zlib.compress(bytes(200 * MIB), 1)))
        assert refused(content) == "broken_image"

    def test_tags_that_point_at_each_other(self) -> None:
        loop = exif([(0x8769, 4, 1, 8), (0x0112, SHORT, 1, 6)])
        assert read_image(picture("PNG", exif=loop), LIMITS).size == (6, 8)


class TestBroken:
    @pytest.mark.parametrize("kind", FORMATS)
    def test_every_beginning_of_a_file_is_an_image_or_says_why(self, kind: str) -> None:
        content = picture(kind, (16, 16))
        for end in range(0, len(content), max(1, len(content) // 60)):
            assert outcome(content[:end]) in {"RGB", "broken_image", "no_image"}

    @pytest.mark.parametrize("content", [b"", b"text", b"%PDF-1.7", b"II*\x00" + bytes(50)])
    def test_what_is_no_image(self, content: bytes) -> None:
        assert refused(content) == "no_image"

    def test_an_image_without_pixels(self) -> None:
        assert refused(png(0, 6)) == "broken_image"

    @given(st.binary(max_size=200), st.sampled_from(FORMATS), st.integers(0, 120))
    def test_any_bytes_behind_a_header(self, noise: bytes, kind: str, kept: int) -> None:
        assert outcome(SAMPLES[kind][:kept] + noise) in {"RGB", *FAILURES}

    @given(st.binary(max_size=200))
    def test_any_exif(self, content: bytes) -> None:
        for head in (b"II*\x00", b"MM\x00*", b""):
            assert 1 <= orientation(head + content) <= 8

    def test_exif_of_the_largest_size_is_fine(self) -> None:
        tags = exif([(0x0112, SHORT, 1, 6)])
        content = png(8, 6, chunk(b"eXIf", tags + bytes(MOST_EXIF - len(tags))))
        assert check_image(content, LIMITS).width == 8


SAMPLES = {kind: picture(kind, (16, 16)) for kind in FORMATS}
