"""The issuer's public keys, fetched from its JWKS document and kept."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

import httpx
import structlog
from jwt import PyJWK, PyJWTError
from prometheus_client import Counter

from mlplatform.errors.tree import DependencyUnavailable

TTL = timedelta(minutes=5)
# Tokens with made-up key ids cause at most one fetch in this time.
INTERVAL = timedelta(seconds=10)
TIMEOUT = timedelta(seconds=3)
BODY_BYTES = 256 * 1024
KEYS = 100
RSA_BITS = 2048
# By type and curve, so that a key is never used with an algorithm that it was not made for.
ALGORITHMS: Mapping[tuple[str, str | None], tuple[str, ...]] = {
    ("RSA", None): ("RS256", "RS384", "RS512"),
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("OKP", "Ed25519"): ("EdDSA",),
}
FETCHES = Counter("ml_auth_jwks_fetches", "Fetches of the issuer's keys, by outcome.", ["outcome"])
logger = structlog.get_logger(__name__)


class KeySetError(Exception):
    """The answer of the endpoint is no usable key set."""


class KeySet:
    """Public keys by id and algorithm; the last good ones stay when the endpoint is down.

    Args:
        url: the JWKS document; no redirect is followed.
        algorithms: the ones that tokens may use.
        clock: seconds that only grow; tests turn it.
    """

    def __init__(self, url: str, algorithms: Sequence[str], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._algorithms = frozenset(algorithms)
        self._clock = clock
        self._lock = asyncio.Lock()
        self._keys: dict[str, dict[str, PyJWK]] = {}
        self._fetched = self._attempted = float("-inf")

    async def find(self, kid: str, algorithm: str) -> PyJWK | None:
        """Return the key that verifies tokens of that key id and algorithm; None when there is none.

        Raises:
            DependencyUnavailable: no key was ever fetched and the endpoint does not answer.
        """
        # While somebody refreshes keys that are there, the others go on with those.
        if self._clock() - self._fetched >= TTL.total_seconds() and not (self._keys and self._lock.locked()):
            await self._refresh()
        if kid not in self._keys:
            await self._refresh(unless=kid)
        if not self._keys:
            raise DependencyUnavailable("jwks", "the token issuer's keys cannot be fetched; try again shortly.")
        return self._keys.get(kid, {}).get(algorithm)

    async def _refresh(self, *, unless: str | None = None) -> None:
        async with self._lock:
            if unless in self._keys or self._clock() - self._attempted < INTERVAL.total_seconds():
                return
            self._attempted = self._clock()
            try:
                self._keys = _read_keys(await self._fetch(), self._algorithms)
            except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, KeySetError) as error:
                FETCHES.labels("failed").inc()
                logger.warning("auth.jwks_failed", url=self._url, error=f"{type(error).__name__}: {error}")
                return
            self._fetched = self._clock()
            FETCHES.labels("fetched").inc()
            logger.info("auth.jwks_fetched", url=self._url, keys=len(self._keys))

    async def _fetch(self) -> bytes:
        body = bytearray()
        async with (
            asyncio.timeout(TIMEOUT.total_seconds()),
            httpx.AsyncClient(follow_redirects=False) as client,
            client.stream("GET", self._url, headers={"Accept": "application/json"}) as response,
        ):
            if response.status_code != httpx.codes.OK:
                raise KeySetError(f"status {response.status_code}, expected 200")
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > BODY_BYTES:
                    raise KeySetError(f"more than {BODY_BYTES} bytes")
        return bytes(body)


def _read_keys(body: bytes, allowed: frozenset[str]) -> dict[str, dict[str, PyJWK]]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise KeySetError("not JSON") from error
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise KeySetError("no list 'keys'")
    keys: dict[str, dict[str, PyJWK]] = {}
    for entry in entries[:KEYS]:
        if isinstance(entry, dict) and isinstance(entry.get("kid"), str):
            keys.setdefault(entry["kid"], {}).update(_read_key(entry, allowed))
    if not any(keys.values()):
        raise KeySetError("no usable key")
    return keys


def _read_key(entry: dict[str, object], allowed: frozenset[str]) -> dict[str, PyJWK]:
    """Bind a key to each algorithm that its type, its own `alg` and the settings all allow."""
    curve = entry.get("crv")
    by_type = ALGORITHMS.get((str(entry.get("kty")), curve if isinstance(curve, str) else None), ())
    named = entry.get("alg")
    if entry.get("use", "sig") != "sig" or "d" in entry:
        return {}
    bound = {}
    for algorithm in by_type:
        if algorithm in allowed and named in {None, algorithm}:
            try:
                key = PyJWK.from_dict(entry, algorithm)
            except PyJWTError as error:
                logger.warning("auth.jwks_key_refused", kid=entry["kid"], error=type(error).__name__)
                continue
            if getattr(key.key, "key_size", RSA_BITS) >= RSA_BITS or entry.get("kty") != "RSA":
                bound[algorithm] = key
    return bound
