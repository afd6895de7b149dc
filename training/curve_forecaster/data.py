"""Reads daily curves from a CSV file in the layout of the US Treasury: a `Date` column and one column per tenor."""

import csv
import math
from collections.abc import Sequence
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from mlplatform.training.failures import BadData

from curves import CurveKind

DATE = "Date"
DATE_FORMATS = ("%Y-%m-%d", "%m/%d/%Y")


def read_curves(path: Path, kind: CurveKind) -> pd.DataFrame:
    """Read a file of curves; a blank cell is a missing observation.

    Args:
        path: The file; days newest or oldest first.
        kind: What its values are.

    Returns:
        One row per day, indexed by day, oldest first; one column per tenor, NaN where blank.

    Raises:
        BadData: The file cannot be read, or a row, a date or a value cannot be used. Names file, line and column.
    """
    lines = _read_lines(path)
    header = _check_header(path, lines)
    days, rows = [], []
    for number, cells in lines[1:]:
        if len(cells) != len(header):
            raise BadData(f"{path}, row {number}: {len(cells)} cells, and the header has {len(header)}")
        days.append(_read_date(path, number, cells[header.index(DATE)]))
        rows.append(
            [
                _read_value(path, number, name, cell, positive=kind.log)
                for name, cell in zip(header, cells, strict=True)
                if name != DATE
            ]
        )
    numbers = [number for number, _ in lines[1:]]
    if _check_order(path, numbers, days):
        days.reverse()
        rows.reverse()
    index = pd.DatetimeIndex(days, name=DATE)
    return pd.DataFrame(np.array(rows), index=index, columns=[name for name in header if name != DATE])


def _read_lines(path: Path) -> list[tuple[int, list[str]]]:
    """Return the lines that hold anything, with their numbers in the file; the header is the first."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream, strict=True)
            lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if any(cells)]
    except OSError as error:
        raise BadData(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadData(f"{path}: is not UTF-8 text") from None
    except csv.Error as error:
        raise BadData(f"{path}, row {reader.line_num}: is not CSV: {error}") from None
    if not lines:
        raise BadData(f"{path}: is empty")
    return lines


def _check_header(path: Path, lines: Sequence[tuple[int, list[str]]]) -> list[str]:
    number, header = lines[0]
    if DATE not in header:
        raise BadData(f"{path}, row {number}: no column is called {DATE!r}; the columns are {', '.join(header)}")
    for position, name in enumerate(header, start=1):
        if not name:
            raise BadData(f"{path}, row {number}: column {position} has no name")
        if header.count(name) > 1:
            raise BadData(f"{path}, row {number}: two columns are called {name!r}")
    if len(header) == 1:
        raise BadData(f"{path}, row {number}: there is no column besides {DATE!r}")
    if len(lines) == 1:
        raise BadData(f"{path}: has a header and no rows")
    return header


def _read_date(path: Path, number: int, text: str) -> date:
    for form in DATE_FORMATS:
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007 - a trading day, which has no time zone
        except ValueError:
            continue
    raise BadData(f"{path}, row {number}, column {DATE!r}: {text!r} is not a date such as 2024-12-06 or 12/06/2024")


def _read_value(path: Path, number: int, name: str, text: str, *, positive: bool) -> float:
    if not text:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    place = f"{path}, row {number}, column {name!r}: {text!r}"
    if math.isnan(value):
        raise BadData(f"{place} is not a number; leave the cell blank when there was no observation")
    if math.isinf(value):
        raise BadData(f"{place} is infinite")
    if positive and value <= 0:
        raise BadData(f"{place} is not positive, as a price must be")
    return value


def _check_order(path: Path, numbers: Sequence[int], days: Sequence[date]) -> bool:
    """Return whether the newest day comes first."""
    newest_first = len(days) > 1 and days[0] > days[1]
    for number, (before, day) in zip(numbers[1:], pairwise(days), strict=True):
        if day == before:
            raise BadData(f"{path}, row {number}, column {DATE!r}: {day} is there twice")
        if (day < before) is not newest_first:
            order = "newest" if newest_first else "oldest"
            raise BadData(
                f"{path}, row {number}, column {DATE!r}: {day} comes after {before}, and the file began {order} first"
            )
    return newest_first
