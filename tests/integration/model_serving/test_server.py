"""The service as a process of its own."""

import asyncio
import signal
from pathlib import Path

import httpx

from tests.integration.model_serving.publisher import Publisher, frame_of, records_of
from tests.integration.model_serving.running import DEADLINE, eventually
from tests.integration.model_serving.server import answered, log_of, server

INPUTS = records_of(frame_of(3, seed=7))


class TestServer:
    async def test_serves_a_promotion_and_ends_on_sigterm(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        publisher.promote(publisher.linear(2.0))
        settings = settings_env | {"ML_SERVING_MODELS": f"{publisher.name}*", "ML_SERVING_POLL_INTERVAL": "100ms"}
        async with server(settings, tmp_path, imported=()) as (client, process):

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
