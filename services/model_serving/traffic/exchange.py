"""Brings what this replica measured to Postgres, where all replicas add up."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol
from uuid import UUID, uuid4

import psycopg
from structlog import get_logger

from mlplatform.database import Database
from mlplatform.errors import DependencyUnavailable
from services.model_serving.traffic import repository
from services.model_serving.traffic.metrics import UNSENT
from services.model_serving.traffic.shadow_totals import ShadowTotals
from services.model_serving.traffic.totals import ExperimentTotals
from services.model_serving.traffic.windows import KEPT_SLOTS, Windows, slot_of

FORGET_SECONDS = 60.0

log = get_logger(__name__)


class Source(Protocol):
    """Measurements that wait to be sent."""

    def unsent(self, replica: UUID) -> list[dict[str, Any]]:
        """Take the rows that changed."""

    def unsend(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Give rows back that could not be sent."""


class Exchange:
    """Sends totals of this replica; a total that is sent twice counts once.

    Args:
        database: where they go.
        windows: recent counts.
        experiments: counts and outcomes per arm.
        shadows: comparisons.
    """

    def __init__(
        self, database: Database, windows: Windows, experiments: ExperimentTotals, shadows: ShadowTotals
    ) -> None:
        self._database = database
        self._replica = uuid4()
        self._sources: tuple[tuple[Source, str], ...] = (
            (windows, repository.WRITE_WINDOW),
            (experiments, repository.WRITE_EXPERIMENT),
            (shadows, repository.WRITE_SHADOW),
        )
        self._sending = asyncio.Lock()
        self._forget_at = 0.0

    async def send(self) -> bool:
        """Send what changed; return whether Postgres took it. What it did not take goes with the next call."""
        async with self._sending:
            taken = [(source, statement, source.unsent(self._replica)) for source, statement in self._sources]
            try:
                if any(rows for _, _, rows in taken):
                    await self._write(taken)
                await self._forget()
            except (DependencyUnavailable, psycopg.Error) as error:
                for source, _, rows in taken:
                    source.unsend(rows)
                UNSENT.set(sum(len(rows) for _, _, rows in taken))
                log.warning("traffic_measurements_unsent", cause=type(error).__name__)
                return False
        UNSENT.set(0)
        return True

    async def windows(self, models: Iterable[str], since: Callable[[float], int]) -> list[dict[str, Any]]:
        """Return the windows that all replicas sent for some models.

        Args:
            models: their names.
            since: from the present time to the first slot that counts.

        Raises:
            DependencyUnavailable, psycopg.Error: Postgres does not answer.
        """
        async with self._database.transaction() as connection:
            return await repository.windows(connection, list(models), since(time.time()))

    async def _write(self, taken: list[tuple[Source, str, list[dict[str, Any]]]]) -> None:
        async with self._database.transaction() as connection:
            for _, statement, rows in taken:
                if rows:
                    await repository.write(connection, statement, rows)

    async def _forget(self) -> None:
        if time.monotonic() < self._forget_at:
            return
        self._forget_at = time.monotonic() + FORGET_SECONDS
        async with self._database.transaction() as connection:
            await repository.forget_windows(connection, slot_of(time.time()) - 2 * KEPT_SLOTS)
