"""Cursors of lists that MLflow pages.

MLflow fails on a page token that it did not give, so ours carries a checksum: a made-up one never gets there.
"""

import base64
import binascii
import hashlib

from mlplatform.errors import InvalidCursor

CHECKSUM_BYTES = 6


def seal(token: str | None) -> str | None:
    """Return the cursor for a page token; None for None."""
    if token is None:
        return None
    return base64.urlsafe_b64encode(_checksum(token.encode()) + token.encode()).decode()


def unseal(cursor: str | None) -> str | None:
    """Return the page token of a cursor; None for None.

    Raises:
        InvalidCursor: it is not one of ours.
    """
    if cursor is None:
        return None
    try:
        content = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise InvalidCursor from error
    checksum, token = content[:CHECKSUM_BYTES], content[CHECKSUM_BYTES:]
    if checksum != _checksum(token):
        raise InvalidCursor
    return token.decode()


def _checksum(token: bytes) -> bytes:
    return hashlib.blake2b(token, digest_size=CHECKSUM_BYTES).digest()
