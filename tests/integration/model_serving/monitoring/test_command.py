"""`mlp monitor` against a running service."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn

from tests.fixtures.programs import run_mlp
from tests.integration.model_serving.monitoring.watched import Watched, shifted, watched
from tests.integration.model_serving.publisher import Publisher, frame_of
from tests.integration.model_serving.running import eventually


@asynccontextmanager
async def listening(service: Watched) -> AsyncIterator[str]:
    """Let a service that runs already listen on a port; yield its URL."""
    transport = service.client._transport
    assert isinstance(transport, httpx.ASGITransport)
    config = uvicorn.Config(transport.app, port=0, lifespan="off", log_config=None, loop="none")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())

    async def has_started() -> bool:
        return server.started

    await eventually(has_started)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await serving


@dataclass(frozen=True)
class Done:
    """What a command did."""

    status: int
    output: str
    error: str


async def mlp(environment: dict[str, str], *arguments: str) -> Done:
    """Run a command as a user does."""
    done = await asyncio.to_thread(run_mlp, *arguments, environment=os.environ | environment)
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
async def service(settings_env: dict[str, str], publisher: Publisher, tmp_path: Path) -> AsyncIterator[Watched]:
    async with watched(settings_env, publisher, tmp_path, profile=False) as running:
        yield running


class TestMonitor:
    async def test_from_no_profile_to_an_alarm(
        self, service: Watched, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        sample = tmp_path / "sample.csv"
        frame_of(800, seed=21).to_csv(sample, index=False)
        page = tmp_path / "report.html"
        async with listening(service) as url:
            environment = settings_env | {"ML_SERVING_URL": url}
            await service.asked(shifted(frame_of(400, seed=22), "b"))
            await service.evaluated()
            before = await mlp(environment, "monitor", "report", service.model)
            made = await mlp(environment, "monitor", "profile", service.model, "--data", str(sample), "--json")
            service.running.serving.monitoring.evaluation._references._known.clear()
            await service.evaluated()
            after = await mlp(environment, "monitor", "report", service.model, "--page", str(page))
            document = await mlp(environment, "monitor", "report", service.model, "--json")
        assert before.status == 0, before.error
        assert f"next: mlp monitor profile {service.model} --version 1" in before.output
        assert (made.status, json.loads(made.output)["predictions"]) == (0, 1)
        assert after.status == 1
        assert "major" in after.output
        assert "<svg" in page.read_text()
        assert json.loads(document.output)["alarm"]

    async def test_a_model_that_is_not_there_is_said(self, service: Watched, settings_env: dict[str, str]) -> None:
        async with listening(service) as url:
            done = await mlp(settings_env | {"ML_SERVING_URL": url}, "monitor", "report", f"{service.model}-not")
        assert (done.status, "No model is registered" in done.error) == (1, True)

    async def test_a_service_that_is_down_is_said(self, settings_env: dict[str, str]) -> None:
        done = await mlp(settings_env | {"ML_SERVING_URL": "http://127.0.0.1:9"}, "monitor", "report", "m")
        assert (done.status, "does not answer" in done.error) == (5, True)
