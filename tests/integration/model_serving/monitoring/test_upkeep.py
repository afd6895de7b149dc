"""The loop of upkeep, on a real Postgres."""

import asyncio
from datetime import timedelta
from pathlib import Path

from mlplatform.database import Database
from mlplatform.events import running
from mlplatform.service.health import Degraded
from services.model_serving.monitoring.evaluation import Evaluation
from services.model_serving.monitoring.references import References
from services.model_serving.monitoring.settings import MonitoringSettings
from services.model_serving.monitoring.upkeep import Upkeep
from tests.integration.model_serving.monitoring.watched import Watched
from tests.integration.model_serving.running import eventually


class Faulty(Evaluation):
    """Fails until it is mended."""

    def __init__(self, database: Database, references: References, settings: MonitoringSettings) -> None:
        super().__init__(database, references, settings)
        self.mended = asyncio.Event()

    async def run(self) -> int:
        if not self.mended.is_set():
            raise TypeError("must be real number, not NoneType")
        return 0


class TestRun:
    async def test_a_fault_of_a_round_degrades_and_passes(self, service: Watched, tmp_path: Path) -> None:
        settings = MonitoringSettings(monitoring_interval=timedelta(seconds=1))
        evaluation = Faulty(service.database, References(service.publisher.registry, tmp_path), settings)
        upkeep = Upkeep(service.database, evaluation, settings)
        async with service.database.transaction() as connection:
            await connection.execute("UPDATE monitoring_tasks SET due_at = now() - interval '1 second'")
        async with running(upkeep, "upkeep") as alive:

            async def degraded() -> bool:
                try:
                    await upkeep.check()
                except Degraded:
                    return True
                return False

            await eventually(degraded)
            evaluation.mended.set()

            async def mended() -> bool:
                return not await degraded()

            await eventually(mended)
            await alive()
