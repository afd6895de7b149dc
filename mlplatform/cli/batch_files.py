"""The files of `mlp batch`: items that are submitted, and results that are fetched."""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO
from uuid import uuid4

from mlplatform.cli.owner import USAGE, fail

NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
"""As JSON has it; what looks like a number and is none there stays text: `nan`, `1_000`, `٣`."""
FORMS = (".parquet", ".csv", ".jsonl")
COLUMNS = ("item", "state", "output", "code", "detail")


def read_items(path: Path) -> list[Any]:
    """Read the items of a job; ends the command when there are none to be read."""
    readers = {".json": _read_json, ".jsonl": _read_lines, ".csv": _read_rows}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        fail(f"{path}: must end in {', '.join(readers)}", USAGE)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            items = reader(file)
    except (OSError, ValueError, csv.Error) as error:
        fail(f"{path} cannot be read: {error}", USAGE)
    if not items:
        fail(f"{path} holds no items", USAGE)
    return items


def write_results(path: Path, results: Iterable[Mapping[str, Any]]) -> int:
    """Write results to a file, which is there only when it is whole; return how many they were."""
    suffix = path.suffix.lower()
    if suffix not in {".jsonl", ".csv"}:
        fail(f"--output: {path} must end in .jsonl or .csv, as results that are listed do", USAGE)
    with _whole(path) as unfinished, unfinished.open("x", encoding="utf-8", newline="") as file:
        return _write_rows(file, results) if suffix == ".csv" else _write_lines(file, results)


def form_of(path: Path) -> str:
    """Return the form of results that a file's name asks for."""
    if path.suffix.lower() not in FORMS:
        fail(f"--output: {path} must end in {', '.join(FORMS)}, or say --format", USAGE)
    return path.suffix.lower().removeprefix(".")


def write_content(path: Path, content: Iterable[bytes]) -> int:
    """Write a file, which is there only when it is whole; return its bytes."""
    with _whole(path) as unfinished, unfinished.open("xb") as file:
        return sum(file.write(part) for part in content)


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Name a file to write to beside the one that is wanted, which nobody else has, and put it there at the end."""
    unfinished = path.parent / f"{uuid4().hex}.part"
    try:
        yield unfinished
        unfinished.replace(path)
    except OSError as error:
        fail(f"--output: {path} cannot be written: {error}")
    finally:
        unfinished.unlink(missing_ok=True)


def _read_json(file: TextIO) -> list[Any]:
    match json.load(file):
        case list() as items:
            return items
    raise ValueError("it must hold a list")


def _read_lines(file: TextIO) -> list[Any]:
    items = []
    for number, line in enumerate(file, 1):
        if line.strip():
            try:
                items.append(json.loads(line))
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from error
    return items


def _read_rows(file: TextIO) -> list[Any]:
    reader = csv.reader(file, strict=True)
    names = next(reader, [])
    items = []
    for row in reader:
        if len(row) != len(names):
            raise ValueError(f"line {reader.line_num} has {len(row)} cells, the first one has {len(names)}")
        items.append({name: _value(cell) for name, cell in zip(names, row, strict=True)})
    return items


def _value(cell: str) -> Any:  # noqa: ANN401 (any JSON)
    """Return what a cell holds: nothing, a number, or the text."""
    if not cell:
        return None
    return _number(cell) if NUMBER.fullmatch(cell) else cell


def _number(cell: str) -> int | float:
    return int(cell) if cell.lstrip("-").isdecimal() else float(cell)


def _write_lines(file: TextIO, results: Iterable[Mapping[str, Any]]) -> int:
    count = 0
    for one in results:
        file.write(json.dumps(one, ensure_ascii=False) + "\n")
        count += 1
    return count


def _write_rows(file: TextIO, results: Iterable[Mapping[str, Any]]) -> int:
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    count = 0
    for one in results:
        error = one["error"] or {}
        output = "" if one["error"] else json.dumps(one["output"], ensure_ascii=False)
        writer.writerow([one["item"], one["state"], output, error.get("code", ""), error.get("detail", "")])
        count += 1
    return count
