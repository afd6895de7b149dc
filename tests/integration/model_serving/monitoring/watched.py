"""A running service whose model is monitored."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import mlflow
import pandas as pd
from mlflow.models import infer_signature
from sklearn.linear_model import LinearRegression

from mlplatform.database import Database
from mlplatform.monitoring.storage import log_reference_profile
from mlplatform.registry.model_version import ModelVersion
from tests.integration.model_serving.publisher import REQUIREMENTS, Publisher, frame_of, records_of
from tests.integration.model_serving.running import Service, eventually, serving

TRAINING = frame_of(2000, seed=11)


@dataclass(frozen=True)
class Watched:
    """A service, its model, and its database."""

    running: Service
    model: str
    version: ModelVersion
    database: Database
    publisher: Publisher

    @property
    def client(self) -> httpx.AsyncClient:
        """The client of the service."""
        return self.running.client

    async def ask(self, frame: pd.DataFrame, **headers: str) -> str:
        """Predict, and return the id of the request."""
        body = {"model": self.model, "inputs": records_of(frame)}
        answer = await self.client.post("/api/v1/predict", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.headers["x-request-id"]

    async def asked(self, frame: pd.DataFrame, rows: int = 50) -> None:
        """Predict a frame in several requests, and have them written."""
        for start in range(0, len(frame), rows):
            await self.ask(frame[start : start + rows])
        await self.written()

    async def written(self) -> None:
        """Have everything written that waits."""
        await self.running.serving.monitoring.writer.flush()

    async def evaluated(self) -> dict[str, Any]:
        """Compare, and return what the API says."""
        await self.running.serving.monitoring.evaluation.run()
        return (await self.client.get(f"/api/v1/models/{self.model}/monitoring")).json()

    async def feedback(self, *items: dict[str, Any]) -> list[dict[str, Any]]:
        """Send labels, and return what became of each."""
        answer = await self.client.post("/api/v1/feedback", json={"items": list(items)})
        assert answer.status_code == 200, answer.text
        return answer.json()["results"]

    async def logged(self, tenant: str = "default") -> list[dict[str, Any]]:
        """Return what was logged for a tenant."""
        async with self.database.transaction(tenant) as connection:
            cursor = await connection.execute("SELECT * FROM prediction_log ORDER BY at")
            return await cursor.fetchall()


@asynccontextmanager
async def watched(
    environment: dict[str, str],
    publisher: Publisher,
    cache: Path,
    *,
    model_tags: Iterable[tuple[str, str]] = (),
    profile: bool = True,
    **changes: str,
) -> AsyncIterator[Watched]:
    """Run a service with one model in production; what it does by itself now and then is left to the test."""
    version = publish(publisher, dict(model_tags), profile=profile)
    publisher.promote(version)
    values = {
        "ML_PREDICTION_LOG_SAMPLE": "1",
        "ML_PREDICTION_LOG_ROWS_PER_SECOND": "100000",
        "ML_MONITORING_INTERVAL": "1h",
    }
    database = Database(environment["ML_DATABASE_URL"])
    await database.open()
    async with serving(environment, publisher, cache, **(values | changes)) as running:
        await eventually(lambda: running.serves(publisher.name, version.version, records_of(TRAINING[:1])))
        await running.serving.monitoring.writer.flush()
        yield Watched(running, publisher.name, version, database, publisher)
    await database.close()


def publish(publisher: Publisher, model_tags: dict[str, str], *, profile: bool) -> ModelVersion:
    """Register a model of the sum of its columns, with the profile of its training data."""
    version = publisher.register(log_sum(publisher.registry.tracking_url, profile=profile))
    client = mlflow.MlflowClient(publisher.registry.tracking_url)
    for key, value in model_tags.items():
        client.set_registered_model_tag(publisher.name, key, value)
    return version


@cache
def log_sum(tracking_url: str, *, profile: bool) -> str:
    """Log the model, once in a test process; return its URI."""
    model = LinearRegression().fit(TRAINING, TRAINING.sum(axis=1))
    predictions = model.predict(TRAINING)
    logged = mlflow.sklearn.log_model(
        model,
        name="model",
        serialization_format="skops",
        input_example=TRAINING[:2],
        signature=infer_signature(TRAINING, predictions),
        pip_requirements=REQUIREMENTS,
    )
    if profile:
        log_reference_profile(logged.model_uri, TRAINING, predictions, tracking_url=tracking_url)
    return str(logged.model_uri)


def shifted(frame: pd.DataFrame, column: str = "a", by: float = 1.0) -> pd.DataFrame:
    """Move one column."""
    return frame.assign(**{column: frame[column] + by})
