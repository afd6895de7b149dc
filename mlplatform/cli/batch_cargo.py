"""What `mlp batch submit` sends: items, files or a table."""

import json
import os
import tempfile
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
ARCHIVE = ".zip"
MOST_PARTS = 100
"""Files that are sent as they are; more are packed into archives, as the service takes no more in a request."""
PACK_ENTRIES = 1000
PACK_SIZE = 48 * 1024 * 1024
"""Bytes of an archive that is packed here, unless a single file has more."""
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
    """Open files, and those in folders, for the time of the block; many of them are packed into archives.

    Links and hidden files in folders are passed over. Archives stay as they are, since none may be in another.
    """
    found = [one for path in paths for one in _files(path)]
    if not found:
        fail("There are no files in what is to be scored.", USAGE)
    with ExitStack() as stack:
        try:
            if len(found) <= MOST_PARTS:
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
    """Return a name as text, which that of a file need not be."""
    return name.encode(errors="replace").decode()


def _packed(stack: ExitStack, found: Sequence[Named]) -> list[Part]:
    parts: list[Part] = []
    for bundle in _bundles(found):
        name, path = bundle[0]
        if path.suffix.lower() == ARCHIVE:
            parts.append((name, stack.enter_context(path.open("rb"))))
        else:
            parts.append((f"files-{len(parts) + 1}{ARCHIVE}", stack.enter_context(_pack(bundle))))
    return parts


def _bundles(found: Sequence[Named]) -> Iterator[list[Named]]:
    """Yield what goes into an archive each, in order; an archive is alone."""
    bundle: list[Named] = []
    names: set[str] = set()
    size = 0
    for name, path in found:
        is_archive = path.suffix.lower() == ARCHIVE
        more = path.stat().st_size + ENTRY_SIZE + 2 * len(name.encode())
        if bundle and (is_archive or len(bundle) == PACK_ENTRIES or size + more > PACK_SIZE or name in names):
            yield bundle
            bundle, names, size = [], set(), 0
        if is_archive:
            yield [(name, path)]
            continue
        bundle.append((name, path))
        names.add(name)
        size += more
    if bundle:
        yield bundle


@contextmanager
def _pack(files: Sequence[Named]) -> Iterator[BinaryIO]:
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, strict_timestamps=False) as archive:
            for name, path in files:
                archive.write(path, name)
        file.seek(0)
        yield cast("BinaryIO", file)


def fields_of(given: dict[str, object]) -> dict[str, str]:
    """Return fields as a form has them; without those that are not given."""
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in given.items()
        if value not in (None, {})
    }


def _unreadable(error: OSError) -> NoReturn:
    fail(f"{error.filename or 'a file'} cannot be read: {error.strerror or error}", USAGE)
