"""Pages of rows that are ordered by a number which rises, newest first; the number of the last one is the cursor."""

from psycopg.rows import DictRow

from mlplatform.errors import InvalidCursor

CURSOR_DIGITS = 18
"""Digits of the largest number that a Postgres bigint surely holds."""


def read_cursor(cursor: str | None) -> int | None:
    """Read the number below which the page begins; None for the first page.

    Raises:
        InvalidCursor: It is not one of ours.
    """
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) <= CURSOR_DIGITS):
        raise InvalidCursor
    return int(cursor)


def cut_page(rows: list[DictRow], limit: int, column: str) -> tuple[list[DictRow], str | None]:
    """Give the rows of a page, and the cursor of the next one or None.

    Args:
        rows: One more than the page holds, where there are so many.
        limit: How many the page holds, at least 1.
        column: Holds the number.
    """
    page = rows[:limit]
    return page, str(page[-1][column]) if len(rows) > limit else None
