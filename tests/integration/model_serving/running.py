"""A serving service inside the test's process, called without a socket."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import uvicorn
from fastapi import FastAPI

from services.model_serving.app import create_app
from services.model_serving.serving import Serving
from services.model_serving.settings import ServingSettings
from tests.fixtures.listener import listening
from tests.integration.model_serving.disk import keep, lend
from tests.integration.model_serving.publisher import Publisher

DEADLINE = 60.0
SHORTEST_PAUSE, LONGEST_PAUSE = 0.02, 0.1
"""Seconds."""
POLLING = {"ML_SERVING_POLL_INTERVAL": "250ms"}
"""For services that find something out by polling alone."""


@dataclass(frozen=True)
class Service:
    """A running service and a client of it."""

    client: httpx.AsyncClient
    serving: Serving
    application: FastAPI

    async def predict(self, model: str, inputs: Any, **fields: Any) -> httpx.Response:
        """Ask for a prediction."""
        return await self.client.post("/api/v1/predict", json={"model": model, "inputs": inputs, **fields})

    async def serves(self, model: str, version: str, inputs: Any) -> bool:
        """Say whether a version answers for the model in production."""
        answer = await self.predict(model, inputs)
        return answer.status_code == 200 and answer.json()["version"] == version

    async def readiness(self) -> dict[str, Any]:
        """Return the report of each check."""
        return (await self.client.get("/health/ready")).json()["checks"]


@asynccontextmanager
async def serving(
    environment: dict[str, str], publisher: Publisher, cache: Path, *, cold: bool = False, **changes: str
) -> AsyncIterator[Service]:
    """Run the service for the time of the block.

    Args:
        environment: Its settings.
        publisher: Whose models it serves.
        cache: Where its artifacts are.
        cold: Whether it downloads what others have downloaded before.
        changes: Further settings.
    """
    values = {
        "ML_SERVING_CACHE": str(cache),
        "ML_SERVING_MODELS": f"{publisher.name}*",
        "ML_SERVING_POLL_INTERVAL": "2s",  # promotions are told
        "ML_RATE_LIMIT_ENABLED": "false",
    }
    with mock.patch.dict(os.environ, environment | values | changes):
        settings = ServingSettings()
    if not cold:
        lend(settings.cache_folder, publisher.digests)
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://serving", timeout=DEADLINE) as client:
            with publisher.telling(settings.redis_url.get_secret_value()):
                yield Service(client, app.state.serving, app)
    keep(settings.cache_folder)


@asynccontextmanager
async def on_a_socket(service: Service) -> AsyncIterator[str]:
    """Have a service answer on a socket too, for the time of the block, and yield its URL."""
    with listening() as listener:
        server = uvicorn.Server(uvicorn.Config(service.application, lifespan="off", log_config=None))
        running = asyncio.create_task(server.serve([listener]))

        async def started() -> bool:
            return server.started

        await eventually(started)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await running


async def eventually(condition: Callable[[], Awaitable[Any]], seconds: float = DEADLINE) -> Any:
    """Poll a condition until it gives something true, and return that; less and less often, as each look costs."""
    pause = SHORTEST_PAUSE
    async with asyncio.timeout(seconds):
        while True:
            if found := await condition():
                return found
            await asyncio.sleep(pause)
            pause = min(1.5 * pause, LONGEST_PAUSE)
