"""Texts with their classes, from CSV or JSONL."""

import csv
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mlplatform.training.calibration import Indices
from mlplatform.training.failures import BadData

LONGEST_CELL = 1_000_000
"""Characters."""
LINES = frozenset({".jsonl", ".ndjson"})


@dataclass(frozen=True, slots=True)
class Texts:
    """Different texts with their classes.

    Attributes:
        source: Where they are from, for people.
        labels: Names of the classes, sorted.
        texts: Each once.
        targets: Class of each.
        repeated: Lines left out because their text was there before.
        contradicting: Those of them that named another class.
    """

    source: str
    labels: tuple[str, ...]
    texts: tuple[str, ...]
    targets: Indices
    repeated: int
    contradicting: int

    def chosen(self, places: Indices) -> list[str]:
        """Return some of the texts."""
        return [self.texts[place] for place in places]

    def digest(self, places: Indices) -> str:
        """Return the SHA-256 of some texts with their classes."""
        rows = [[self.texts[place], self.labels[self.targets[place]]] for place in places]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def read_texts(file: Path, text: str, label: str) -> Texts:
    """Read a file; a text that comes again is left out, as it could be trained on and measured with at once.

    Args:
        file: JSONL by its ending, else CSV with a header.
        text: Column with the text.
        label: Column with the class.

    Raises:
        BadData: It cannot be read; the message names the line.
    """
    if not file.is_file():
        raise BadData(f"{file} is no file")
    read = _lines if file.suffix.lower() in LINES else _rows
    found: dict[str, str] = {}
    repeated = contradicting = 0
    try:
        for line, raw_text, raw_label in read(file, text, label):
            given, name = raw_text.strip(), raw_label.strip()
            if not given or not name:
                raise BadData(f"{file.name}, line {line}: {(label if given else text)!r} is empty")
            if given in found:
                repeated += 1
                contradicting += found[given] != name
            else:
                found[given] = name
    except UnicodeDecodeError:
        raise BadData(f"{file.name} is not UTF-8") from None
    if not found:
        raise BadData(f"{file.name} has no texts")
    labels = tuple(sorted(set(found.values())))
    numbers = {name: number for number, name in enumerate(labels)}
    targets = np.array([numbers[name] for name in found.values()], dtype=np.intp)
    return Texts(file.name, labels, tuple(found), targets, repeated, contradicting)


def _rows(file: Path, text: str, label: str) -> Iterator[tuple[int, str, str]]:
    csv.field_size_limit(LONGEST_CELL)
    with file.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream, strict=True)
        try:
            header = next(reader, [])
            places = _place(file, header, text), _place(file, header, label)
            for row in reader:
                if not row:
                    continue
                if len(row) != len(header):
                    raise BadData(
                        f"{file.name}, line {reader.line_num}: has {len(row)} fields, the header has {len(header)}"
                    )
                yield reader.line_num, row[places[0]], row[places[1]]
        except csv.Error as error:
            raise BadData(f"{file.name}, line {reader.line_num}: {error}") from None


def _place(file: Path, header: Sequence[str], column: str) -> int:
    if header.count(column) != 1:
        times = "no column" if column not in header else "more than one column"
        raise BadData(f"{file.name} has {times} {column!r}; its columns are {', '.join(header) or 'none'}")
    return header.index(column)


def _lines(file: Path, text: str, label: str) -> Iterator[tuple[int, str, str]]:
    with file.open(encoding="utf-8-sig") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (json.JSONDecodeError, RecursionError) as error:
                raise BadData(f"{file.name}, line {number}: is no JSON ({error})") from None
            if not isinstance(row, dict):
                raise BadData(f"{file.name}, line {number}: is no object")
            values = row.get(text), row.get(label)
            for column, value in zip((text, label), values, strict=True):
                if not isinstance(value, str) and not (column == label and isinstance(value, int)):
                    raise BadData(f"{file.name}, line {number}: {column!r} is missing or no text")
            yield number, str(values[0]), str(values[1])
