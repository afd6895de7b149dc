"""Cursors of lists of items: the key of the last item of a page."""

import base64
import binascii

import orjson

from mlplatform.errors import InvalidCursor
from services.search.items import Key
from services.search.storable import NUL

PARTS = 2


def write_cursor(key: Key) -> str:
    """Return the cursor of what comes behind a key."""
    return base64.urlsafe_b64encode(orjson.dumps(key)).decode()


def read_cursor(cursor: str | None) -> Key | None:
    """Return the key of a cursor; None for None.

    Raises:
        InvalidCursor: It is not one of ours.
    """
    if cursor is None:
        return None
    try:
        parts = orjson.loads(base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError) as error:
        raise InvalidCursor from error
    if not isinstance(parts, list) or len(parts) != PARTS or not all(_is_storable(part) for part in parts):
        raise InvalidCursor
    return parts[0], parts[1]


def _is_storable(part: object) -> bool:
    return isinstance(part, str) and NUL not in part
