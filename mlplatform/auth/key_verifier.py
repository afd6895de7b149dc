"""Verifies presented API keys, with a short memory in front of Postgres."""

import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from mlplatform.auth import repository
from mlplatform.auth.api_keys import PEPPER_BYTES, ApiKey, KeyForm
from mlplatform.auth.errors import CredentialRefused
from mlplatform.auth.principal import Principal
from mlplatform.database.pool import Database
from mlplatform.settings.base import PlatformSettings

# How long a revoked key may still be accepted.
MEMORY = timedelta(seconds=10)
MEMORY_KEYS = 10_000
TOUCH_INTERVAL = timedelta(minutes=1)


class KeyVerifier:
    """Verifies API keys against Postgres; without Postgres it refuses to guess."""

    def __init__(
        self, settings: PlatformSettings, database: Database, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        pepper = b"" if settings.api_key_pepper is None else settings.api_key_pepper.get_secret_value().encode()
        self._form = KeyForm(pepper) if len(pepper) >= PEPPER_BYTES else None
        self._database = database
        self._clock = clock
        self._memory: OrderedDict[str, tuple[float, ApiKey | None]] = OrderedDict()

    async def verify(self, text: str) -> Principal:
        """Return whom the key proves.

        Raises:
            CredentialRefused: it proves nobody.
            DependencyUnavailable: Postgres does not answer.
        """
        if self._form is None:
            raise CredentialRefused("key_unknown", "API keys are not accepted here; set ML_API_KEY_PEPPER")
        prefix, secret = self._form.parse(text)
        remembered = self._memory.get(prefix)
        if remembered is not None and self._clock() - remembered[0] < MEMORY.total_seconds():
            return self._form.check(remembered[1], secret).principal()
        key = self._form.check(await self._look_up(prefix), secret)
        if key.last_used_at is None or datetime.now(UTC) - key.last_used_at >= TOUCH_INTERVAL:
            async with self._database.transaction() as connection:
                await repository.touch(connection, prefix)
        return key.principal()

    async def _look_up(self, prefix: str) -> ApiKey | None:
        asked = self._clock()
        async with self._database.transaction() as connection:
            key = await repository.find(connection, prefix)
        self._memory[prefix] = (asked, key)
        self._memory.move_to_end(prefix)
        while len(self._memory) > MEMORY_KEYS:
            self._memory.popitem(last=False)
        return key
