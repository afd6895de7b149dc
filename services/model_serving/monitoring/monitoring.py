"""The parts of monitoring behind the routes."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from mlplatform.database import Database
from services.model_serving.monitoring import repository
from services.model_serving.monitoring.evaluation import Evaluation
from services.model_serving.monitoring.labels.feedback import Feedback
from services.model_serving.monitoring.policy import LogPolicies
from services.model_serving.monitoring.schemas import LogState, ModelMonitoring, WindowFinding
from services.model_serving.monitoring.upkeep import Upkeep
from services.model_serving.monitoring.writer import LogWriter
from services.model_serving.versions.directory import Directory

MOST_WINDOWS = 2000


class Monitoring:
    """What monitoring knows of models.

    Args:
        database: Where findings are.
        directory: The models that this service serves.
        policies: What is logged of each.
        feedback: Takes labels.
        writer: Writes the log.
        evaluation: Compares windows.
        upkeep: Does what is due.
    """

    def __init__(
        self,
        *,
        database: Database,
        directory: Directory,
        policies: LogPolicies,
        feedback: Feedback,
        writer: LogWriter,
        evaluation: Evaluation,
        upkeep: Upkeep,
    ) -> None:
        self._database = database
        self._directory = directory
        self._policies = policies
        self.feedback = feedback
        self.writer = writer
        self.evaluation = evaluation
        self.upkeep = upkeep

    async def read(self, model: str, *, version: str | None, span: timedelta) -> ModelMonitoring:
        """Return the newest window of each version.

        Args:
            model: Its name.
            version: Only this one.
            span: How far back to look.

        Raises:
            ModelNotFound: there is no such model here.
        """
        newest: dict[str, WindowFinding] = {}
        for window in await self.history(model, version=version, span=span):
            newest.setdefault(window.version, window)
        policy = self._policies.of(model)
        return ModelMonitoring(
            model=model,
            log=LogState(sample=policy.sample, excluded=sorted(policy.exclude)),
            alarm=any(window.alarm for window in newest.values()),
            versions=[newest[key] for key in sorted(newest, key=int, reverse=True)],
        )

    async def history(self, model: str, *, version: str | None, span: timedelta) -> list[WindowFinding]:
        """Return the windows of a model, newest first.

        Raises:
            ModelNotFound: there is no such model here.
        """
        await self._directory.find(model)
        since = datetime.now(UTC) - span
        async with self._database.transaction() as connection:
            rows = await repository.windows_of(connection, model, since, MOST_WINDOWS)
        return [_window(row) for row in rows if version is None or row["version"] == version]


def _window(row: Mapping[str, Any]) -> WindowFinding:
    kept = {name: row[name] for name in ("version", "alarm", "started_at", "ended_at", "rows")}
    quality = [{**one, "metrics": _known(one["metrics"])} for one in row["findings"]["quality"]]
    return WindowFinding.model_validate({**row["findings"], **kept, "quality": quality})


def _known(metrics: Mapping[str, Mapping[str, float | None]]) -> dict[str, Mapping[str, float | None]]:
    """Leave out figures without a number, which earlier releases stored when one overflowed."""
    return {name: figure for name, figure in metrics.items() if None not in figure.values()}
