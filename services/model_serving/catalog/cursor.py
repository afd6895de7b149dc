"""Cursors of lists that MLflow pages.

MLflow fails on a page token that it did not give, so ours carries a checksum: a made-up one never gets there. A page
token counts models, so one that is registered meanwhile would bring the last of a page up again: ours names it.
"""

import base64
import binascii
import hashlib

from mlplatform.errors import InvalidCursor

CHECKSUM_BYTES = 6


START: tuple[None, str] = None, ""


def seal(token: str | None, last: str) -> str | None:
    """Return the cursor for a page token and the name before it; None without a token."""
    if token is None:
        return None
    content = f"{token} {last}".encode()
    return base64.urlsafe_b64encode(_checksum(content) + content).decode()


def unseal(cursor: str | None) -> tuple[str | None, str]:
    """Return the page token of a cursor and the name before it; `START` for None.

    Raises:
        InvalidCursor: it is not one of ours.
    """
    if cursor is None:
        return START
    try:
        content = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise InvalidCursor from error
    checksum, content = content[:CHECKSUM_BYTES], content[CHECKSUM_BYTES:]
    if checksum != _checksum(content):
        raise InvalidCursor
    token, _, last = content.decode().partition(" ")
    return token, last


def _checksum(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=CHECKSUM_BYTES).digest()
