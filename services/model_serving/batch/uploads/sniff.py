"""What a file is, by how it begins; its name and what its sender says of it count for nothing."""

from enum import StrEnum

HEAD = 512
"""Bytes that are enough to tell."""
CONTROLS = frozenset(range(32)) - frozenset(b"\t\n\r\f") | {127}


class Media(StrEnum):
    """What can be scored, and archives of it."""

    PNG = "image/png"
    JPEG = "image/jpeg"
    GIF = "image/gif"
    BMP = "image/bmp"
    WEBP = "image/webp"
    TEXT = "text/plain"
    ZIP = "application/zip"

    @property
    def is_image(self) -> bool:
        """Whether it is an image."""
        return self.startswith("image/")


MAGIC: tuple[tuple[bytes, Media], ...] = (
    (b"\x89PNG\r\n\x1a\n", Media.PNG),
    (b"\xff\xd8\xff", Media.JPEG),
    (b"GIF87a", Media.GIF),
    (b"GIF89a", Media.GIF),
    (b"PK\x03\x04", Media.ZIP),
    (b"PK\x05\x06", Media.ZIP),
)
KNOWN: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "a PDF document"),
    (b"MZ", "a Windows program"),
    (b"\x7fELF", "a Linux program"),
    (b"\x1f\x8b", "compressed by gzip"),
    (b"BZh", "compressed by bzip2"),
    (b"\xfd7zXZ\x00", "compressed by xz"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"PAR1", "a Parquet table"),
    (b"\xff\xfe", "text in UTF-16"),
    (b"\xfe\xff", "text in UTF-16"),
    (b"\x80\x04\x95", "a Python pickle"),
)
"""What people send by mistake, to be named to them."""


def sniff(head: bytes) -> Media | None:
    """Return what content is that begins so; None when it can be nothing that is taken.

    Args:
        head: The first `HEAD` bytes, or all of a shorter file.
    """
    for magic, media in MAGIC:
        if head.startswith(magic):
            return media
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Media.WEBP
    if _is_bitmap(head):
        return Media.BMP
    known = any(head.startswith(magic) for magic, _ in KNOWN if not magic.isalpha())
    return Media.TEXT if head and not known and _is_text(head) else None


def describe(head: bytes) -> str:
    """Say what content is that cannot be taken, as far as that is known."""
    if not head:
        return "empty"
    return next((name for magic, name in KNOWN if head.startswith(magic)), "neither an image, UTF-8 text nor a zip")


def _is_bitmap(head: bytes) -> bool:
    """Two letters alone may begin a text, so the length of the second header has to be one that exists."""
    return head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in {12, 40, 52, 56, 64, 108, 124}


def _is_text(head: bytes) -> bool:
    if not CONTROLS.isdisjoint(head):
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return len(head) == HEAD and error.start >= HEAD - 3 and error.reason == "unexpected end of data"
    return True
