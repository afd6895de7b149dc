"""Watches for aliases that were moved past the platform, beside the service."""

from collections.abc import Mapping
from datetime import timedelta

import psycopg
from prometheus_client import Gauge
from structlog import get_logger

from mlplatform.errors import PlatformError
from mlplatform.events import Beat
from mlplatform.registry.drift.detector import DriftDetector
from mlplatform.registry.drift.incident import Incident

REGISTRY_DRIFT = Gauge(
    "ml_registry_drift", "Aliases of a model that are not where the ledger of promotions has them.", ["model"]
)

log = get_logger(__name__)


class DriftWatch:
    """A loop that compares the ledger with the registry.

    Args:
        detector: what compares.
        interval: between two looks.
    """

    def __init__(self, detector: DriftDetector, interval: timedelta) -> None:
        self._detector = detector
        self._beat = Beat(interval)
        self._incidents: Mapping[str, list[Incident]] = {}

    async def run(self) -> None:
        """Look until stopped."""
        async for _ in self._beat:
            await self.look()

    def stop(self) -> None:
        """Let `run` return soon."""
        self._beat.stop()

    async def look(self) -> None:
        """Look once; what was known stays known while Postgres or MLflow does not answer."""
        try:
            incidents = await self._detector.look()
        except (PlatformError, psycopg.Error) as error:
            log.warning("registry_drift_unknown", cause=type(error).__name__)
            return
        by_model: dict[str, list[Incident]] = {}
        for incident in incidents:
            by_model.setdefault(incident.drift.model, []).append(incident)
        for model in self._incidents.keys() | by_model.keys():
            REGISTRY_DRIFT.labels(model).set(len(by_model.get(model, [])))
        for incident in incidents:
            if incident.is_new:
                drift = incident.drift
                log.error(
                    "registry_drift",
                    model=drift.model,
                    alias=drift.alias,
                    kind=drift.kind,
                    recorded=drift.recorded,
                    found=drift.found,
                    message=drift.message,
                )
        self._incidents = by_model

    def of(self, model: str) -> list[Incident]:
        """Return what is not as it should be with a model."""
        return self._incidents.get(model, [])
