"""Serving while MLflow is not there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.integration.model_serving.forwarder import forwarding, free_port
from tests.integration.model_serving.publisher import Publisher, frame_of, records_of
from tests.integration.model_serving.running import POLLING, Service, eventually, serving

INPUTS = records_of(frame_of(3, seed=7))


class Mlflow:
    """A way to MLflow that can be cut."""

    def __init__(self, environment: dict[str, str]) -> None:
        target = urlsplit(environment["ML_MLFLOW_URL"])
        self._host, self._port = str(target.hostname), int(target.port or 80)
        self._own_port = free_port()
        self.environment = environment | {"ML_MLFLOW_URL": f"http://127.0.0.1:{self._own_port}"}

    @asynccontextmanager
    async def up(self) -> AsyncIterator[None]:
        """Let requests through for the time of the block."""
        async with forwarding(self._own_port, self._host, self._port):
            yield


async def check_failed(service: Service, name: str) -> bool:
    return (await service.readiness())[name]["status"] == "failed"


class TestMlflowDown:
    async def test_what_is_in_memory_is_served_and_listed(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        mlflow = Mlflow(settings_env)
        publisher.point(publisher.linear(2.0))
        async with serving(mlflow.environment, publisher, tmp_path, **POLLING) as service:
            async with mlflow.up():
                await eventually(lambda: service.serves(publisher.name, "1", INPUTS))
            await eventually(lambda: check_failed(service, "mlflow"))
            assert await service.serves(publisher.name, "1", INPUTS)
            assert (await service.predict(publisher.name, INPUTS, version="1")).status_code == 200

            page = (await service.client.get("/api/v1/models?limit=200")).json()
            assert page["complete"] is False
            assert [model["name"] for model in page["models"]] == [publisher.name]
            detail = (await service.client.get(f"/api/v1/models/{publisher.name}")).json()
            assert [version["version"] for version in detail["versions"]] == ["1"]
            version = (await service.client.get(f"/api/v1/models/{publisher.name}/versions/1")).json()
            assert version["complete"] is False
            assert [column["name"] for column in version["signature"]["inputs"]] == ["a", "b", "c"]

    async def test_what_is_not_in_memory_is_503(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        mlflow = Mlflow(settings_env)
        async with serving(mlflow.environment, publisher, tmp_path, **POLLING) as service:
            answers = [
                await service.predict("unknown", INPUTS),
                await service.client.get("/api/v1/models/unknown"),
                await service.client.get("/api/v1/models/unknown/versions/1"),
            ]
        for answer in answers:
            assert answer.status_code == 503
            assert answer.json()["code"] == "dependency_unavailable"
            assert answer.headers["Retry-After"]

    async def test_a_promotion_during_the_outage_is_served_after_it(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        mlflow = Mlflow(settings_env)
        publisher.point(publisher.linear(1.0))
        async with serving(mlflow.environment, publisher, tmp_path, **POLLING) as service:
            async with mlflow.up():
                await eventually(lambda: service.serves(publisher.name, "1", INPUTS))
            publisher.point(publisher.linear(2.0))
            assert await service.serves(publisher.name, "1", INPUTS)
            async with mlflow.up():
                await eventually(lambda: service.serves(publisher.name, "2", INPUTS))


class TestRestartWhileMlflowIsDown:
    async def test_what_was_in_production_is_served_from_disk(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        mlflow = Mlflow(settings_env)
        await self._serve_once(mlflow, publisher, tmp_path)
        async with serving(mlflow.environment, publisher, tmp_path, **POLLING) as service:
            await eventually(lambda: service.serves(publisher.name, "1", INPUTS))
            assert await check_failed(service, "mlflow")
            async with mlflow.up():
                publisher.point(publisher.linear(2.0))
                await eventually(lambda: service.serves(publisher.name, "2", INPUTS))

    async def test_artifacts_that_were_changed_on_disk_are_not_loaded(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        mlflow = Mlflow(settings_env)
        await self._serve_once(mlflow, publisher, tmp_path)
        spoil(tmp_path)
        async with serving(mlflow.environment, publisher, tmp_path, **POLLING) as service:
            await eventually(lambda: refused(service))
            assert "were changed" in (await service.readiness())["models"]["reason"]

    async def _serve_once(self, mlflow: Mlflow, publisher: Publisher, cache: Path) -> None:
        publisher.point(publisher.linear(1.0))
        async with mlflow.up(), serving(mlflow.environment, publisher, cache, **POLLING) as service:
            await eventually(lambda: service.serves(publisher.name, "1", INPUTS))
            await eventually(lambda: remembered(cache, publisher.name))


def spoil(cache: Path) -> None:
    """Change the one model in a cache."""
    (model_file,) = cache.glob("*/model/model.skops")
    model_file.write_bytes(b"changed")


async def remembered(cache: Path, model: str) -> bool:
    return model in content_of(cache / "production.json")


def content_of(file: Path) -> str:
    return file.read_text() if file.exists() else ""


async def refused(service: Service) -> bool:
    report = (await service.readiness())["models"]
    return report["status"] == "degraded" and "could not be loaded" in report["reason"]
