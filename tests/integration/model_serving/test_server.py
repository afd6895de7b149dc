"""The service as a process of its own."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.integration.model_serving.forwarder import free_port
from tests.integration.model_serving.publisher import Publisher, frame_of, records_of
from tests.integration.model_serving.running import DEADLINE, eventually

INPUTS = records_of(frame_of(3, seed=7))


@asynccontextmanager
async def server(environment: dict[str, str], folder: Path) -> AsyncIterator[tuple[httpx.AsyncClient, Process]]:
    """Run `python -m services.model_serving` for the time of the block."""
    port = free_port()
    log = folder / "server.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.model_serving"),
            env=os.environ | environment | {"ML_SERVING_PORT": str(port), "ML_SERVING_CACHE": str(folder / "cache")},
            stdout=output,
            stderr=output,
        )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=DEADLINE) as client:
            yield client, process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


class TestServer:
    async def test_serves_a_promotion_and_ends_on_sigterm(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        publisher.promote(publisher.linear(2.0))
        settings = settings_env | {"ML_SERVING_MODELS": f"{publisher.name}*", "ML_SERVING_POLL_INTERVAL": "100ms"}
        async with server(settings, tmp_path) as (client, process):

            async def predicted() -> httpx.Response | None:
                try:
                    answer = await client.post("/api/v1/predict", json={"model": publisher.name, "inputs": INPUTS})
                except httpx.TransportError:
                    return None
                return answer if answer.status_code == 200 else None

            answer = await eventually(predicted)
            assert answer.json()["version"] == "1"
            ready = await eventually(lambda: answered(client, "/health/ready"))
            assert ready["checks"].keys() >= {"postgres", "redis", "s3", "mlflow", "models", "alias watcher"}
            metrics = (await client.get("/metrics")).text
            labels = f'model="{publisher.name}",version="1"'
            assert f"ml_inference_duration_seconds_count{{{labels}}}" in metrics
            assert f'ml_model_loaded_info{{model="{publisher.name}",role="production",version="1"}} 1.0' in metrics
            document = (await client.get("/openapi.json")).json()
            assert "/api/v1/predict" in document["paths"]
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(DEADLINE):
                status = await process.wait()
        assert status == -signal.SIGTERM  # uvicorn hands the signal on once it has shut down
        assert "Traceback" not in log_of(tmp_path)


async def answered(client: httpx.AsyncClient, path: str) -> dict[str, Any] | None:
    answer = await client.get(path)
    return answer.json() if answer.status_code == 200 else None


def log_of(folder: Path) -> str:
    return (folder / "server.log").read_text()
