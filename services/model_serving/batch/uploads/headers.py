"""Headers of images, read without a decoder: some allocate the pixels, or parse metadata, as soon as they open a file.

WebP's makes its canvas at once; with EXIF data of many megabytes each of 65,535 tags may claim all of it.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from services.model_serving.batch.uploads.errors import FileError
from services.model_serving.batch.uploads.sniff import Media, sniff

MOST_PARTS = 100_000
"""Chunks or segments of one file."""
JPEG_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
JPEG_FILL = frozenset({0x00, 0xFF})
JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
JPEG_SCAN, JPEG_END, JPEG_APP1 = 0xDA, 0xD9, 0xE1
EXIF = b"Exif\x00\x00"
ORIENTATION = 0x0112
SHORT = 3


@dataclass(frozen=True, slots=True)
class Header:
    """What an image says of itself.

    Attributes:
        media: Its format.
        width: In pixels, as stored.
        height: As well.
        exif: Its EXIF data, all parts of it.
    """

    media: Media
    width: int
    height: int
    exif: bytes = b""


def read_header(content: bytes) -> Header:
    """Return what an image says of itself.

    Raises:
        FileError: It is no image, or broken.
    """
    media = sniff(content[:512])
    try:
        match media:
            case Media.PNG:
                return _png(content)
            case Media.JPEG:
                return _jpeg(content)
            case Media.GIF:
                return Header(media, *struct.unpack_from("<HH", content, 6))
            case Media.BMP:
                return _bmp(content)
            case Media.WEBP:
                return _webp(content)
    except (struct.error, IndexError, ValueError) as error:
        raise FileError("broken_image", "The image is broken, or ends within its header.") from error
    raise FileError("no_image", "The file is no PNG, JPEG, GIF, BMP or WebP image.")


def orientation(exif: bytes) -> int:
    """Return how an image is to be turned (1 to 8, EXIF 2.32 section 4.6.4); 1 when that cannot be read.

    Args:
        exif: Its EXIF data, beginning with the TIFF header.
    """
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(exif[:4])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, start)
        for place in range(count):
            tag, kind, values, value = struct.unpack_from(f"{order}HHIH", exif, start + 2 + 12 * place)
            if tag == ORIENTATION:
                return value if (kind, values) == (SHORT, 1) and 1 <= value <= 8 else 1  # noqa: PLR2004 (the eight ways)
    except struct.error:
        return 1
    return 1


def _png(content: bytes) -> Header:
    name, width, height = struct.unpack_from(">4sII", content, 12)
    if name != b"IHDR":
        raise ValueError
    parts = _chunks(content, 8, ">I4s", (0, 1), padding=4)
    return Header(Media.PNG, width, height, b"".join(data for kind, data in parts if kind == b"eXIf"))


def _webp(content: bytes) -> Header:
    exif, sizes = [], []
    for kind, data in _chunks(content, 12, "<4sI", (1, 0), padding=0, even=True):
        if kind == b"VP8X":
            sizes.append((1 + int.from_bytes(data[4:7], "little"), 1 + int.from_bytes(data[7:10], "little")))
        elif kind == b"VP8L":
            (bits,) = struct.unpack_from("<I", data, 1)
            sizes.append((1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)))
        elif kind == b"VP8 ":
            width, height = struct.unpack_from("<HH", data, 6)
            sizes.append((width & 0x3FFF, height & 0x3FFF))
        elif kind == b"EXIF":
            exif.append(data.removeprefix(EXIF))
    return Header(Media.WEBP, max(width for width, _ in sizes), max(height for _, height in sizes), b"".join(exif))


def _bmp(content: bytes) -> Header:
    (length,) = struct.unpack_from("<I", content, 14)
    oldest = 12
    width, height = struct.unpack_from("<HH" if length == oldest else "<ii", content, 18)
    return Header(Media.BMP, width, abs(height))


def _jpeg(content: bytes) -> Header:
    size = None
    exif = []
    for marker, data in _segments(content):
        if marker in JPEG_FRAMES and size is None:
            height, width = struct.unpack_from(">HH", data, 1)
            size = width, height
        elif marker == JPEG_APP1 and data.startswith(EXIF):
            exif.append(data.removeprefix(EXIF))
    if size is None:
        raise ValueError
    return Header(Media.JPEG, *size, b"".join(exif))


def _segments(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the segments before the first scan."""
    at = 2
    for _ in range(MOST_PARTS):
        at = content.index(b"\xff", at)  # between segments anything may be
        if content[at + 1] in JPEG_FILL:
            at += 1
            continue
        marker = content[at + 1]
        at += 2
        if marker in {JPEG_SCAN, JPEG_END}:
            return
        if marker in JPEG_STANDALONE:
            continue
        (length,) = struct.unpack_from(">H", content, at)
        yield marker, content[at + 2 : at + length]
        at += max(length, 2)
    raise ValueError


def _chunks(
    content: bytes, at: int, form: str, places: tuple[int, int], *, padding: int, even: bool = False
) -> Iterator[tuple[bytes, bytes]]:
    """Yield names and contents of the chunks of a PNG or RIFF file; the last one may be cut off."""
    head = struct.calcsize(form)
    for _ in range(MOST_PARTS):
        if at + head > len(content):
            return
        fields = struct.unpack_from(form, content, at)
        length, kind = fields[places[0]], fields[places[1]]
        yield kind, content[at + head : at + head + length]
        at += head + length + padding + (length & 1 if even else 0)
    raise ValueError
