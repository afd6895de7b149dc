"""Puts the parts of monitoring together."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from mlplatform.database import Database
from mlplatform.events import running
from mlplatform.registry.registry import Registry
from mlplatform.service.health import Degraded, HealthChecks
from services.model_serving.monitoring.evaluation import Evaluation
from services.model_serving.monitoring.labels.feedback import Feedback
from services.model_serving.monitoring.labels.outcomes import NoOutcomes, Outcomes
from services.model_serving.monitoring.monitoring import Monitoring
from services.model_serving.monitoring.observer import PredictionObserver
from services.model_serving.monitoring.policy import LogPolicies
from services.model_serving.monitoring.references import References
from services.model_serving.monitoring.upkeep import Upkeep
from services.model_serving.monitoring.writer import LogWriter
from services.model_serving.settings import ServingSettings
from services.model_serving.versions.directory import Directory


@dataclass(frozen=True, slots=True)
class OpenMonitoring:
    """Monitoring that runs.

    Attributes:
        observer: To be told of every answer.
        monitoring: For the routes.
    """

    observer: PredictionObserver
    monitoring: Monitoring


@asynccontextmanager
async def open_monitoring(
    *,
    database: Database,
    registry: Registry,
    directory: Directory,
    health: HealthChecks,
    settings: ServingSettings,
    outcomes: Outcomes | None = None,
) -> AsyncIterator[OpenMonitoring]:
    """Run monitoring for the time of the block; what waits to be logged at its end is written."""
    policies = LogPolicies(directory.known, settings.prediction_log_sample)
    observer = PredictionObserver(
        policies,
        queue_size=settings.prediction_log_queue_size,
        rows_per_second=settings.prediction_log_rows_per_second,
        max_rows=settings.prediction_log_max_rows,
    )
    writer = LogWriter(observer, database, max_rows=settings.prediction_log_max_rows)
    evaluation = Evaluation(database, References(registry, settings.cache_folder), settings)
    upkeep = Upkeep(database, evaluation, settings)
    async with (
        running(writer, "prediction log") as writing,
        running(upkeep, "monitoring upkeep") as keeping,
    ):
        health.register("prediction log", _degrading(writing))
        health.register("monitoring upkeep", _degrading(keeping, upkeep.check))
        yield OpenMonitoring(
            observer,
            Monitoring(
                database=database,
                directory=directory,
                policies=policies,
                feedback=Feedback(
                    database, policies, outcomes or NoOutcomes(), horizon=settings.prediction_log_retention
                ),
                writer=writer,
                evaluation=evaluation,
                upkeep=upkeep,
            ),
        )


def _degrading(*checks: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    """Make checks that leave the process ready, since predictions need no monitoring."""

    async def check() -> None:
        for one in checks:
            try:
                await one()
            except RuntimeError as error:
                raise Degraded(str(error)) from error

    return check
