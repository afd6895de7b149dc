"""What is done now and then: partitions made and dropped, windows compared, findings exported."""

import asyncio
from datetime import UTC, datetime, timedelta

import psycopg

from mlplatform.database import Database
from mlplatform.errors import PlatformError
from mlplatform.events.outage import Outage, wait
from services.model_serving.monitoring import gauges, repository
from services.model_serving.monitoring.evaluation import Evaluation
from services.model_serving.monitoring.settings import MonitoringSettings
from services.model_serving.monitoring.writer import DAYS_AHEAD

TICK = timedelta(seconds=15)
PARTITIONS_INTERVAL = timedelta(hours=1)
SHOWN_WINDOWS = 3
"""Intervals after which the last window of a version is no longer exported."""


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

    def stop(self) -> None:
        """Let `run` return after the task at hand."""
        self._stopping.set()

    async def run(self) -> None:
        """Do what is due until stopped, through outages of Postgres and MLflow."""
        while not self._stopping.is_set():
            try:
                await self.do_what_is_due()
            except (psycopg.Error, PlatformError) as error:
                await wait(self._stopping, self._outage.failed(error))
                continue
            self._outage.ended()
            await wait(self._stopping, self._tick)

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
        since = datetime.now(UTC) - SHOWN_WINDOWS * self._settings.monitoring_interval
        async with self._database.transaction() as connection:
            windows = await repository.last_windows(connection, since)
        gauges.export(windows, self._settings.monitoring_metric_columns)

    async def _claim(self, task: str, interval: timedelta) -> bool:
        async with self._database.transaction() as connection:
            return await repository.claim(connection, task, interval)
