"""The comparison of what versions are asked now with what they were trained on."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from structlog import get_logger

from mlplatform.database import Database
from mlplatform.monitoring.drift import compare
from services.model_serving.monitoring import repository
from services.model_serving.monitoring.findings import column_findings, quality_findings
from services.model_serving.monitoring.metrics import EVALUATION, FAILURES
from services.model_serving.monitoring.quality import measure
from services.model_serving.monitoring.references import Reference, References
from services.model_serving.monitoring.sample import read_sample
from services.model_serving.monitoring.settings import MonitoringSettings

MOST_LABELS = 20_000
MOST_SIGNS = 64 << 20
"""Signs of JSON that are read for a comparison, of the log and again of labels: callers choose how long values are."""
Row = Mapping[str, Any]

log = get_logger(__name__)


class Evaluation:
    """Compares the windows of all versions that were asked lately.

    Args:
        database: Where the log is and the findings go.
        references: What versions were trained on.
        settings: How far back, how many rows, how strict.
    """

    def __init__(self, database: Database, references: References, settings: MonitoringSettings) -> None:
        self._database = database
        self._references = references
        self._settings = settings

    async def run(self) -> int:
        """Compare every version once, and return how many those were.

        Raises:
            RegistryUnavailable: MLflow is down.
            DependencyUnavailable: Postgres is.
            psycopg.Error: Postgres refused.
        """
        now = datetime.now(UTC)
        async with self._database.transaction() as connection:
            await repository.act_as_monitor(connection)
            versions = await repository.logged_versions(connection, now - self._settings.monitoring_max_window)
        for model, version in versions:
            started = time.perf_counter()
            try:
                await self._evaluate(model, version, now)
            except (ArithmeticError, LookupError, TypeError, ValueError) as error:  # values that nobody thought of
                FAILURES.labels(model).inc()
                log.exception("monitoring.failed", model=model, version=version, error=type(error).__name__)
            EVALUATION.observe(time.perf_counter() - started)
        return len(versions)

    async def _evaluate(self, model: str, version: str, now: datetime) -> None:
        settings = self._settings
        since, longest = now - settings.monitoring_window, now - settings.monitoring_max_window
        reference = await asyncio.to_thread(self._references.of, model, version)
        async with self._database.transaction() as connection:
            await repository.act_as_monitor(connection)
            logged = await repository.newest_predictions(
                connection, model, version, since=longest, rows=settings.monitoring_max_rows, size=MOST_SIGNS
            )
            traffic = await repository.traffic(connection, model, version, since)
            labelled = await repository.labelled(
                connection, model, version, since=longest, limit=MOST_LABELS, size=MOST_SIGNS
            )
        started_at, rows, findings = await asyncio.to_thread(
            self._compute, reference, logged, traffic or {}, labelled, now
        )
        async with self._database.transaction() as connection:
            await repository.insert_window(
                connection,
                model=model,
                version=version,
                started_at=started_at,
                ended_at=now,
                rows=rows,
                alarm=any(column["level"] == "major" for column in findings["columns"]),
                findings=findings,
            )

    def _compute(
        self, reference: Reference, logged: Sequence[Row], traffic: Row, labelled: Sequence[Row], now: datetime
    ) -> tuple[datetime, int, dict[str, Any]]:
        settings = self._settings
        sample = read_sample(
            logged,
            ended_at=now,
            window=settings.monitoring_window,
            minimum=settings.monitoring_min_rows,
            history=reference.history,
        )
        rows = sample.rows if sample is not None else 0
        columns: list[dict[str, Any]] = []
        if reference.profile is None:
            status = "no_reference"
        elif sample is None or rows < settings.monitoring_min_rows:
            status = "too_few_rows"
        else:
            found = compare(
                reference.profile,
                sample.inputs,
                sample.predictions,
                alpha=settings.monitoring_alpha,
                minimum_psi=settings.monitoring_min_psi,
            )
            columns = column_findings(reference.profile, found)
            status = "compared" if columns else "not_comparable"
        version = labelled[0]["version"] if labelled else ""
        findings = {
            "status": status,
            "columns": columns,
            "traffic": dict(traffic),
            "quality": quality_findings(measure(labelled, {version: reference.task})),
        }
        return (sample.started_at if sample is not None else now), rows, findings
