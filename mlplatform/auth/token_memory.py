"""Tokens that were verified a moment ago.

Checking a signature takes longer than many a prediction, and a caller sends the same token again and again. What is
remembered is the digest of a token whose signature and claims were all checked, never the token itself, and no refusal.
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta

from mlplatform.auth.principal import Principal

MEMORY = timedelta(seconds=10)
"""How long a token may still be accepted after its key was withdrawn from the issuer's document."""
MEMORY_TOKENS = 10_000


class TokenMemory:
    """Remembers whom tokens proved, until they expire and never longer than `MEMORY`.

    Args:
        clock: seconds that only grow; tests turn it.
        wall: seconds since 1970, by which tokens expire.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._wall = wall
        self._known: OrderedDict[bytes, tuple[float, float, Principal]] = OrderedDict()

    def find(self, token: str) -> Principal | None:
        """Return whom the token proved a moment ago; None when it has to be verified."""
        known = self._known.get(_digest(token))
        if known is None:
            return None
        forget, expires, principal = known
        return principal if self._clock() < forget and self._wall() < expires else None

    def keep(self, token: str, principal: Principal, *, expires: float) -> None:
        """Remember a verified token.

        Args:
            token: as it was sent.
            principal: whom it proves.
            expires: its claim `exp`.
        """
        digest = _digest(token)
        self._known[digest] = self._clock() + MEMORY.total_seconds(), expires, principal
        self._known.move_to_end(digest)
        if len(self._known) > MEMORY_TOKENS:
            self._known.popitem(last=False)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
