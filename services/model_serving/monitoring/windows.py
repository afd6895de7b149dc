"""From stored windows to what the API says of them, and the cursors of their pages."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from structlog import get_logger

from mlplatform.errors import InvalidCursor
from services.model_serving.monitoring.schemas import WindowFinding

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CURSOR_DIGITS = 17
"""Digits of microseconds up to the year 5000."""
VERSION_DIGITS = 9
UNREADABLE = (AttributeError, LookupError, TypeError, ValueError)
"""What findings of another form than these are raise; the error of a validation is a ValueError."""

log = get_logger(__name__)


def read_windows(rows: Sequence[Mapping[str, Any]]) -> list[WindowFinding]:
    """Read what is stored; runs in a thread. A window that cannot be read is left out, and not its neighbours."""
    windows = []
    for row in rows:
        try:
            windows.append(_read(row))
        except UNREADABLE as error:
            log.warning(
                "monitoring.unreadable_window",
                model=row["model"],
                version=row["version"],
                ended_at=row["ended_at"].isoformat(),
                error=type(error).__name__,
            )
    return windows


def make_cursor(row: Mapping[str, Any]) -> str:
    """Return the cursor of the page after a window: its time in microseconds, and its version."""
    return f"{(row['ended_at'] - EPOCH) // timedelta(microseconds=1)}.{row['version']}"


def read_cursor(cursor: str | None) -> tuple[datetime, str] | None:
    """Read the cursor of a page.

    Raises:
        InvalidCursor: it is not one of ours.
    """
    if cursor is None:
        return None
    ended_at, _, version = cursor.partition(".")
    for digits, most in ((ended_at, CURSOR_DIGITS), (version, VERSION_DIGITS)):
        if not (digits.isascii() and digits.isdecimal() and len(digits) <= most):
            raise InvalidCursor
    return EPOCH + timedelta(microseconds=int(ended_at)), version


def _read(row: Mapping[str, Any]) -> WindowFinding:
    findings = orjson.loads(row["findings"])
    kept = {name: row[name] for name in ("version", "alarm", "started_at", "ended_at", "rows")}
    quality = [{**one, "metrics": _known(one["metrics"])} for one in findings["quality"]]
    return WindowFinding.model_validate({**findings, **kept, "quality": quality})


def _known(metrics: Mapping[str, Mapping[str, float | None]]) -> dict[str, Mapping[str, float | None]]:
    """Leave out figures without a number, which earlier releases stored when one overflowed."""
    return {name: figure for name, figure in metrics.items() if None not in figure.values()}
