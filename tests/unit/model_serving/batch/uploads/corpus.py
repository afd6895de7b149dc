"""Files that mean harm, made here so that none has to be kept."""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterable

from PIL import Image

MODE_LINK = 0o120777 << 16


def picture(kind: str = "PNG", size: tuple[int, int] = (8, 6), **options: object) -> bytes:
    """Return an image whose left half is red and whose right half is blue."""
    image = Image.new("RGB", size, (255, 0, 0))
    image.paste((0, 0, 255), (size[0] // 2, 0, *size))
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(name: bytes, content: bytes) -> bytes:
    """Return a chunk of a PNG file."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width: int, height: int, *more: bytes) -> bytes:
    """Return a PNG file that says it is of that size, with hardly any pixels in it."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", head), *more, chunk(b"IDAT", zlib.compress(bytes(1000))), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def webp(width: int, height: int) -> bytes:
    """Return a WebP file that says its canvas is of that size."""
    sizes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBP" + b"VP8X" + struct.pack("<I", 10) + bytes(4) + sizes
    return b"RIFF" + struct.pack("<I", len(body)) + body


def exif(entries: Iterable[tuple[int, int, int, int]], *, order: str = "<") -> bytes:
    """Return EXIF data with these entries: tag, type, count and value."""
    found = list(entries)
    head = (b"II*\x00" if order == "<" else b"MM\x00*") + struct.pack(f"{order}I", 8)
    rows = (
        struct.pack(f"{order}HHIHH", tag, kind, count, value, 0) if kind == 3 else
        struct.pack(f"{order}HHII", tag, kind, count, value)
        for tag, kind, count, value in found
    )  # fmt: skip
    return head + struct.pack(f"{order}H", len(found)) + b"".join(rows) + bytes(4)


def jpeg_with_segments(segments: Iterable[bytes]) -> bytes:
    """Return a JPEG file with EXIF segments."""
    content = picture("JPEG")
    parts = (b"\xff\xe1" + struct.pack(">H", 2 + len(one)) + one for one in segments)
    return content[:2] + b"".join(parts) + content[2:]


def jpeg_with_scans(more: int, size: tuple[int, int] = (8, 6)) -> bytes:
    """Return a progressive JPEG file whose last scan, of a few bytes, comes again so many times."""
    content = picture("JPEG", size, progressive=True)
    return content[:-2] + content[content.rindex(b"\xff\xda") : -2] * more + content[-2:]


def packed(files: dict[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return an archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def packed_as(info: zipfile.ZipInfo, content: bytes = b"x") -> bytes:
    """Return an archive with one entry that says of itself what it likes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(info, content)
    return buffer.getvalue()


def link(name: str = "link", target: bytes = b"/etc/passwd") -> bytes:
    """Return an archive with a symbolic link."""
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = MODE_LINK
    return packed_as(info, target)


def encrypted(name: str = "secret.txt") -> bytes:
    """Return an archive whose only file says that it is encrypted."""
    content = bytearray(packed({name: b"a" * 100}, method=zipfile.ZIP_STORED))
    content[6] |= 1
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


def overlapping(count: int, size: int) -> bytes:
    """Return an archive all of whose entries are the same packed bytes (https://www.bamsoftware.com/hacks/zipbomb/)."""
    one = packed({"a": bytes(size)})
    start = one.index(b"PK\x01\x02")
    end = one.index(b"PK\x05\x06")
    directory = one[start:end] * count
    return (
        one[:start] + directory + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(directory), start, 0)
    )


def lying(content: bytes, size: int) -> bytes:
    """Return an archive of one file whose directory says that it unpacks to `size`."""
    made = bytearray(packed({"a.txt": content}))
    struct.pack_into("<L", made, made.index(b"PK\x01\x02") + 24, size)
    return bytes(made)
