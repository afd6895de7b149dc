"""A service that ends does not wait for those who watch jobs."""

import asyncio
import signal
from pathlib import Path

import httpx

from tests.integration.model_serving.publisher import Publisher, frame_of, records_of
from tests.integration.model_serving.running import DEADLINE, eventually
from tests.integration.model_serving.server import answered, log_of, server

ROWS = records_of(frame_of(2))


class TestWatch:
    async def test_a_stream_ends_with_the_service(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        publisher.linear(2.0)
        settings = settings_env | {"ML_SERVING_MODELS": f"{publisher.name}*", "ML_SHUTDOWN_TIMEOUT": "30s"}
        async with server(settings, tmp_path) as (client, process):

            async def ready() -> bool:
                try:
                    return await answered(client, "/health/ready") is not None
                except httpx.TransportError:
                    return False

            await eventually(ready)
            body = {"model": publisher.name, "version": 1, "inputs": ROWS}
            place = (await client.post("/api/v1/batch", json=body)).headers["location"]
            async with client.stream("GET", f"{place}/events") as stream:
                lines = stream.aiter_lines()
                assert await anext(lines) == "retry: 1000"
                process.send_signal(signal.SIGTERM)
                rest = [line async for line in lines]
            async with asyncio.timeout(DEADLINE):
                await process.wait()
        assert "event: progress" in rest
        assert "timeout graceful shutdown exceeded" not in log_of(tmp_path)
        assert "Traceback" not in log_of(tmp_path)
