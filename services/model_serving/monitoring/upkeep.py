"""What is done now and then: partitions made and dropped, windows compared, findings exported."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import psycopg
from structlog import get_logger

from mlplatform.database import Database
from mlplatform.errors import PlatformError
from mlplatform.events.outage import Outage, wait
from mlplatform.service.health import Degraded
from services.model_serving.monitoring import gauges, repository
from services.model_serving.monitoring.evaluation import Evaluation
from services.model_serving.monitoring.settings import MonitoringSettings
from services.model_serving.monitoring.writer import DAYS_AHEAD

FAULTS = (
    psycopg.Error,
    PlatformError,
    ArithmeticError,
    AttributeError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What one round may raise without an end of the loop: outages, and data that nobody thought of."""
TICK = timedelta(seconds=15)
PARTITIONS_INTERVAL = timedelta(hours=1)
SHOWN_WINDOWS = 3
"""Intervals after which the last window of a version is no longer exported."""

log = get_logger(__name__)


class Upkeep:
    """A loop in every process; a task that is due goes to the one that claims it first.

    Args:
        database: Where the tasks are.
        evaluation: Compares windows.
        settings: How often, and how long things are kept.
    """

    def __init__(self, database: Database, evaluation: Evaluation, settings: MonitoringSettings) -> None:
        self._database = database
        self._evaluation = evaluation
        self._settings = settings
        self._tick = min(TICK, settings.monitoring_interval)
        self._outage = Outage("monitoring upkeep")
        self._stopping = asyncio.Event()
        self._degraded_until = 0.0

    def stop(self) -> None:
        """Let `run` return after the task at hand."""
        self._stopping.set()

    async def run(self) -> None:
        """Do what is due until stopped, through outages of Postgres and MLflow and faults of one round."""
        while not self._stopping.is_set():
            try:
                await self.do_what_is_due()
            except FAULTS as error:
                self._degraded_until = time.monotonic() + 2 * self._settings.monitoring_interval.total_seconds()
                if not isinstance(error, psycopg.Error | PlatformError) and not self._outage.failing:
                    log.exception("monitoring.round_failed", error=type(error).__name__)
                await wait(self._stopping, self._outage.failed(error))
                continue
            self._outage.ended()
            await wait(self._stopping, self._tick)

    async def check(self) -> None:
        """Say in the readiness report when a round failed lately.

        Raises:
            Degraded: one did, and none has compared windows since; requests are served all the same.
        """
        if self._outage.failing or time.monotonic() < self._degraded_until:
            raise Degraded("A round of monitoring failed; the log of this service says why.")

    async def do_what_is_due(self) -> None:
        """Do each task that is due and that no other process has taken, then export the newest findings."""
        if await self._claim("partitions", PARTITIONS_INTERVAL):
            async with self._database.transaction() as connection:
                await repository.create_partitions(connection, DAYS_AHEAD)
            async with self._database.transaction() as connection:
                await repository.drop_partitions(connection, self._settings.prediction_log_retention)
                await repository.prune_windows(connection, self._settings.monitoring_retention)
        if await self._claim("windows", self._settings.monitoring_interval):
            await self._evaluation.run()
            self._degraded_until = 0.0
        since = datetime.now(UTC) - SHOWN_WINDOWS * self._settings.monitoring_interval
        async with self._database.transaction() as connection:
            windows = await repository.last_windows(connection, since)
        found = await asyncio.to_thread(_read, windows)
        gauges.export(found, self._settings.monitoring_metric_columns)

    async def _claim(self, task: str, interval: timedelta) -> bool:
        async with self._database.transaction() as connection:
            return await repository.claim(connection, task, interval)


def _read(windows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{**window, "findings": orjson.loads(window["findings"])} for window in windows]
