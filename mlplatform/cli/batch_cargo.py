"""What `mlp batch submit` sends: items, files or a table."""

import json
import os
import re
import tempfile
import unicodedata
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, NoReturn, cast

from mlplatform.cli.owner import USAGE, fail

TABLES = {
    ".csv": "text/csv",
    ".jsonl": "application/x-ndjson",
    ".ndjson": "application/x-ndjson",
    ".parquet": "application/vnd.apache.parquet",
}
"""Types of tables by the ends of their names."""
ITEMS = frozenset({".json", ".jsonl", ".csv"})
ITEMS_SIZE = 16 * 1024 * 1024
"""Bytes of a file of items, all of which are in memory; a table is not."""
ARCHIVES = re.compile(r"\.(zip|jar|war|apk|7z|rar|tar|t?gz|t?bz2?|t?xz|zst|cab|iso)$", re.IGNORECASE)
"""Names of archives, which the service opens by themselves and not in another one."""
DRIVE = re.compile(r"^([A-Za-z]):")
BACKWARDS = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))
"""Characters by which the text after them runs backwards."""
MOST_PARTS = 100
"""Files that are sent as they are; more are packed into archives, as the service takes no more in a request."""
PACK_ENTRIES = 1000
PACK_SIZE = 48 * 1024 * 1024
"""Bytes of an archive that is packed here, unless a single file has more."""
FILE_SIZE = 50 * 1024 * 1024
"""Bytes of an archive that the service takes; a file that makes a larger one is sent as it is."""
BLOCK = 1024 * 1024
ENTRY_SIZE = 256
"""Bytes that an archive has for a file besides its content and twice its name."""

Kind = Literal["items", "files", "table"]
Named = tuple[str, Path]
"""A file after the name that it is shown by."""
Part = tuple[str, BinaryIO]
"""The same, opened."""


@dataclass(frozen=True, slots=True)
class Cargo:
    """What is to be sent.

    Attributes:
        kind: As what.
        paths: From where; one, unless it is files.
    """

    kind: Kind
    paths: Sequence[Path]

    @property
    def path(self) -> Path:
        """Where the items, or the table, are."""
        return self.paths[0]


def choose(inputs: Sequence[Path], table: Path | None) -> Cargo:
    """Tell by their names what is to be sent; ends the command when that makes no sense."""
    if table is not None:
        if inputs:
            fail("A table is a job of its own: give --table or inputs, not both.", USAGE)
        return _table(table)
    if not inputs:
        fail("Say what is to be scored: items, files, folders, zip archives, or a table with --table.", USAGE)
    try:
        return _cargo(inputs)
    except OSError as error:
        _unreadable(error)


def _cargo(inputs: Sequence[Path]) -> Cargo:
    for path in inputs:
        if not path.exists():
            fail(f"{path}: there is no such file or folder", USAGE)
    alone = [path for path in inputs if path.is_file() and path.suffix.lower() in ITEMS | TABLES.keys()]
    if not alone:
        return Cargo("files", inputs)
    if len(inputs) > 1:
        fail(
            f"{alone[0]} holds items or a table, which are a job of their own. As a text, put it into a folder.", USAGE
        )
    if alone[0].suffix.lower() not in ITEMS:
        return _table(alone[0])
    if alone[0].stat().st_size > ITEMS_SIZE:
        fail(f"{alone[0]} is large: send it as a table, with --table {alone[0]}", USAGE)
    return Cargo("items", inputs)


def _table(path: Path) -> Cargo:
    if path.suffix.lower() not in TABLES:
        fail(f"--table: {path} must end in {', '.join(TABLES)}", USAGE)
    return Cargo("table", [path])


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file for the time of the block; ends the command when it cannot be read."""
    try:
        file = path.open("rb")
    except OSError as error:
        _unreadable(error)
    with file:
        yield file


@contextmanager
def parts_of(paths: Sequence[Path]) -> Iterator[list[Part]]:
    """Open files, and those in folders, for the time of the block.

    Many of them are packed into archives, and so are those in folders of folders: a part of a request has a name
    without a path. Links and hidden files in folders are passed over. Archives stay as they are, since none may be in
    another.
    """
    with ExitStack() as stack:
        try:
            found = [one for path in paths for one in _files(path)]
            if not found:
                fail("There are no files in what is to be scored.", USAGE)
            if len(found) <= MOST_PARTS and not any("/" in name for name, _ in found):
                yield [(name, stack.enter_context(path.open("rb"))) for name, path in found]
            else:
                yield _packed(stack, found)
        except OSError as error:
            _unreadable(error)


def _files(path: Path) -> Iterator[Named]:
    """Yield a file, or the files in a folder in the order of their names, with the names that they are shown by."""
    if not path.is_dir():
        yield _shown(path.name), path
        return
    for folder, folders, names in os.walk(path, onerror=_unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            one = Path(folder) / name
            if not name.startswith(".") and one.is_file() and not one.is_symlink():
                yield _shown(one.relative_to(path).as_posix()), one


def _shown(name: str) -> str:
    """Return a name as text, which that of a file need not be, with `_` for what no name in an archive may have."""
    text = DRIVE.sub(r"\1_", name.encode(errors="replace").decode())
    return "".join("_" if one == "\\" or one in BACKWARDS or unicodedata.category(one) == "Cc" else one for one in text)


def _packed(stack: ExitStack, found: Sequence[Named]) -> list[Part]:
    bundles: list[list[Named]] = []
    for bundle in _bundles(found):  # their number is known before anything is written
        if len(bundles) == MOST_PARTS:
            fail(
                f"This is too much for one job, which takes {MOST_PARTS} archives or large files; "
                f"up to {PACK_ENTRIES} other files are packed into one. Submit it as several.",
                USAGE,
            )
        bundles.append(bundle)
    parts: list[Part] = []
    for bundle in bundles:
        name, path = bundle[0]
        if _stays(name, path):
            parts.append((name, stack.enter_context(path.open("rb"))))
        else:
            parts.append((f"files-{len(parts) + 1}.zip", stack.enter_context(_pack(bundle))))
    return parts


def _stays(name: str, path: Path) -> bool:
    """Whether a file is not packed."""
    return ARCHIVES.search(name) is not None or _room(name, path) > FILE_SIZE


def _room(name: str, path: Path) -> int:
    """Return how many bytes a file takes in an archive."""
    return path.stat().st_size + ENTRY_SIZE + 2 * len(name.encode())


def _bundles(found: Sequence[Named]) -> Iterator[list[Named]]:
    """Yield what goes into an archive each, in order; what is not packed is alone."""
    bundle: list[Named] = []
    names: set[str] = set()
    size = 0
    for name, path in found:
        stays, more = _stays(name, path), _room(name, path)
        if bundle and (stays or len(bundle) == PACK_ENTRIES or size + more > PACK_SIZE or name in names):
            yield bundle
            bundle, names, size = [], set(), 0
        if stays:
            yield [(name, path)]
            continue
        bundle.append((name, path))
        names.add(name)
        size += more
    if bundle:
        yield bundle


def _pack(files: Sequence[Named]) -> BinaryIO:
    """Return an archive of files, which is gone when it is closed; ends the command when it cannot be written."""
    try:
        with ExitStack() as stack:
            file = stack.enter_context(tempfile.TemporaryFile())
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                for name, path in files:
                    with archive.open(zipfile.ZipInfo(name), "w") as packed:
                        for block in _blocks(path):
                            packed.write(block)
            file.seek(0)
            stack.pop_all()
            return cast("BinaryIO", file)
    except OSError as error:
        reason = error.strerror or error
        fail(f"The files cannot be packed: {reason}. TMPDIR names a folder that has room for them, else it is /tmp.")


def _blocks(path: Path) -> Iterator[bytes]:
    """Yield the content of a file; ends the command when it cannot be read."""
    try:
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                yield block
    except OSError as error:
        _unreadable(error, path)


def fields_of(given: dict[str, object]) -> dict[str, str]:
    """Return fields as a form has them; without those that are not given."""
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in given.items()
        if value not in (None, {})
    }


def _unreadable(error: OSError, path: Path | None = None) -> NoReturn:
    fail(f"{path or error.filename or 'a file'} cannot be read: {error.strerror or error}", USAGE)
