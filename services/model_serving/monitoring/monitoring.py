"""The parts of monitoring behind the routes."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from mlplatform.database import Database
from services.model_serving.monitoring import repository
from services.model_serving.monitoring.evaluation import Evaluation
from services.model_serving.monitoring.labels.feedback import Feedback
from services.model_serving.monitoring.policy import LogPolicies
from services.model_serving.monitoring.schemas import LogState, ModelMonitoring, WindowFinding
from services.model_serving.monitoring.upkeep import Upkeep
from services.model_serving.monitoring.windows import make_cursor, read_cursor, read_windows
from services.model_serving.monitoring.writer import LogWriter
from services.model_serving.versions.directory import Directory

MOST_VERSIONS = 100
"""Versions whose newest window is shown, the newest ones."""
MOST_WINDOWS = 500
"""Windows that a report draws."""


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
        await self._directory.find(model)
        async with self._database.transaction() as connection:
            rows = await repository.newest_windows(connection, model, version, datetime.now(UTC) - span, MOST_VERSIONS)
        windows = await asyncio.to_thread(read_windows, rows)
        policy = self._policies.of(model)
        return ModelMonitoring(
            model=model,
            log=LogState(sample=policy.sample, excluded=sorted(policy.exclude)),
            alarm=any(row["alarm"] for row in rows),
            versions=windows,
        )

    async def history(
        self, model: str, *, version: str | None, span: timedelta, limit: int = 100, cursor: str | None = None
    ) -> tuple[list[WindowFinding], str | None]:
        """Return a page of the windows of a model, newest first, and the cursor of the next page.

        Raises:
            InvalidCursor: it is not one of ours.
            ModelNotFound: there is no such model here.
        """
        before = read_cursor(cursor)
        await self._directory.find(model)
        async with self._database.transaction() as connection:
            rows = await repository.windows_of(
                connection, model, version, since=datetime.now(UTC) - span, before=before, limit=limit + 1
            )
        following = make_cursor(rows[limit - 1]) if len(rows) > limit else None
        return await asyncio.to_thread(read_windows, rows[:limit]), following

    async def overview(self, model: str, *, versions: Sequence[str], span: timedelta) -> list[WindowFinding]:
        """Return windows of some versions, newest first: not all of a long time, but some of all of it."""
        if not versions:
            return []
        each = max(1, MOST_WINDOWS // len(versions))
        async with self._database.transaction() as connection:
            rows = await repository.spread_windows(connection, model, versions, datetime.now(UTC) - span, each)
        return await asyncio.to_thread(read_windows, rows)
