"""Zip archives: what is in them is known, and refused, before anything is unpacked.

The directory at the end of an archive is read by `zipfile`, but only after its own head was looked at, which says how
large it is: 10,000 entries are refused before they become objects.
"""

import re
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import BinaryIO

from services.model_serving.batch.uploads.errors import BadArchive, FileError, UploadTooLarge
from services.model_serving.batch.uploads.limits import MIB, Limits, readable
from services.model_serving.batch.uploads.names import is_harmful, leads_out

END = struct.Struct("<4s4H2LH")
END_MAGIC, FIRST_MAGIC, LARGE_MAGIC = b"PK\x05\x06", b"PK\x03\x04", b"PK\x06\x07"
LONGEST_COMMENT = 65_535
LARGE_LOCATOR = 20
ENTRY = 46
"""Bytes of an entry in the directory, without its name."""
LOCAL = 30
"""Bytes before a packed file, without its name."""
ROOM = 512
"""Bytes that name, extra fields and comment of an entry may take on average."""
LITTER = re.compile(r"^__MACOSX/|(^|/)(\.DS_Store|Thumbs\.db)$")
"""What archivers of desktops add by themselves."""
METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
ENCRYPTED = 0x1
BROKEN = "The file cannot be unpacked; the archive is broken."
UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    IndexError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    ValueError,
)
"""What `zipfile` raises for archives that are broken."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in an archive.

    Attributes:
        place: In the directory, from 0; files are opened by it, since names may be there twice.
        name: To show, and never to be used as a path.
        size: Unpacked, in bytes.
    """

    place: int
    name: str
    size: int


def list_archive(file: BinaryIO, limits: Limits) -> list[Entry]:
    """Return the files of an archive in their order.

    Args:
        file: Can be sought in.
        limits: Of uploads.

    Raises:
        BadArchive: It is broken, empty or made to do harm.
        UploadTooLarge: It holds too many files, or they unpack to too much.
    """
    told = _check_end(file, limits)
    with _open(file) as archive:
        found = archive.infolist()
    if len(found) != told:
        raise BadArchive("The directory of the archive has not as many entries as the archive says.")
    _check_spread(found)
    entries = []
    for place, info in enumerate(found):
        name = _check_name(info)
        if info.is_dir() or LITTER.search(name):
            continue
        _check_entry(info, limits)
        entries.append(Entry(place, name, info.file_size))
    if not entries:
        raise BadArchive("The archive has no files.")
    total = sum(entry.size for entry in entries)
    if total > limits.total_size:
        raise UploadTooLarge(f"The archive unpacks to more than {readable(limits.total_size)}.")
    return entries


class Archive:
    """Unpacks files of an archive that was listed before; its directory is read once.

    Args:
        file: The archive; stays open.
        limits: Of uploads.

    Raises:
        FileError: The archive is broken.
    """

    def __init__(self, file: BinaryIO, limits: Limits) -> None:
        self._limits = limits
        try:
            self._archive = zipfile.ZipFile(file)
        except UNREADABLE as error:
            raise FileError("broken_archive", BROKEN) from error
        self._entries = self._archive.infolist()

    def read(self, place: int) -> bytes:
        """Unpack a file; never more than a file may have.

        Raises:
            FileError: It is encrypted, broken, or not what the directory says.
        """
        try:
            info = self._entries[place]
            if info.flag_bits & ENCRYPTED:
                raise FileError("encrypted", "The file is encrypted; archives must have no password.")
            if info.compress_type not in METHODS:
                raise FileError("bad_compression", "The file is packed by a method other than 'deflate'.")
            with self._archive.open(info) as unpacked:
                content = unpacked.read(self._limits.file_size + 1)
        except UNREADABLE as error:
            raise FileError("broken_archive", BROKEN) from error
        if len(content) > self._limits.file_size:
            raise FileError("too_large", f"The file unpacks to more than {readable(self._limits.file_size)}.")
        return content


def _check_end(file: BinaryIO, limits: Limits) -> int:
    """Refuse by the last bytes, which say how large the directory is, what `zipfile` should not even read.

    Returns:
        How many entries the archive says it has, which `zipfile` passes over.
    """
    size = file.seek(0, 2)
    start = max(0, size - END.size - LONGEST_COMMENT - LARGE_LOCATOR)
    file.seek(start)
    tail = file.read(size - start)
    at = tail.rfind(END_MAGIC)
    if at < 0 or len(tail) - at < END.size:
        raise BadArchive("The archive is cut off: its directory is missing.")
    _, disk, first_disk, here, entries, length, offset, comment = END.unpack_from(tail, at)
    if disk or first_disk or here != entries:
        raise BadArchive("The archive has several parts; send one file.")
    if LARGE_MAGIC in tail[max(0, at - LARGE_LOCATOR) : at] or offset == 0xFFFFFFFF:  # noqa: PLR2004 (ZIP64's mark)
        raise BadArchive("The archive is in the ZIP64 format, for archives that are too large to be taken.")
    if entries > limits.archive_entries:
        raise UploadTooLarge(f"The archive has {entries} entries; at most {limits.archive_entries} are allowed.")
    if length > (ENTRY + ROOM) * limits.archive_entries or length < ENTRY * entries:
        raise BadArchive("The directory of the archive has not the size that its entries take.")
    if at + END.size + comment != len(tail) or offset + length != start + at:
        raise BadArchive("The archive has data before its first or after its last byte, as if it were two files.")
    file.seek(0)
    if file.read(4) not in {FIRST_MAGIC, END_MAGIC}:
        raise BadArchive("The archive begins with something else.")
    return int(entries)


def _open(file: BinaryIO) -> zipfile.ZipFile:
    file.seek(0)
    try:
        return zipfile.ZipFile(file)
    except UNREADABLE as error:
        raise BadArchive("The archive is broken: its directory cannot be read.") from error


def _check_spread(found: list[zipfile.ZipInfo]) -> None:
    """Refuse entries that share packed data, by which a small archive unpacks to a large one without high ratios."""
    end = 0
    for info in sorted(found, key=lambda one: one.header_offset):
        if info.header_offset < end:
            raise BadArchive("Files of the archive overlap each other.")
        end = info.header_offset + LOCAL + info.compress_size


def _check_name(info: zipfile.ZipInfo) -> str:
    """Return a name that leads nowhere; none is ever used as a path, but an archive with such names means harm."""
    name = info.orig_filename
    if leads_out(name) or "\\" in name or "\x00" in name:
        raise BadArchive("A file of the archive has a name that leads out of the archive.")
    if not name:
        raise BadArchive("A file of the archive has no name.")
    if any(map(is_harmful, name)):
        raise BadArchive("A file of the archive has a name with control characters.")
    return name


def _check_entry(info: zipfile.ZipInfo, limits: Limits) -> None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in {0, stat.S_IFREG}:
        raise BadArchive("The archive has a link or a device; only files are taken.")
    if info.file_size > limits.file_size:
        raise UploadTooLarge(f"A file of the archive unpacks to more than {readable(limits.file_size)}.")
    if info.file_size > MIB and info.file_size > limits.archive_ratio * max(1, info.compress_size):
        raise UploadTooLarge(f"A file of the archive unpacks to more than {limits.archive_ratio} times its size.")
