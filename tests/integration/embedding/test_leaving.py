"""Callers that close their connection before they have their answer, on real sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn

from services.embedding.settings import EmbeddingSettings
from tests.integration.embedding.running import Running, serve
from tests.integration.embedding.waiting import eventually
from tests.unit.embedding.encoders import HeldEncoder

PATHS = {
    "/api/v1/embed": lambda text: {"texts": [text]},
    "/v1/embeddings": lambda text: {"model": "text-embedder", "input": text},
}


@asynccontextmanager
async def listening(running: Running, port: int) -> AsyncIterator[str]:
    """Serve on a port for the time of the block."""
    server = uvicorn.Server(uvicorn.Config(running.app, port=port, lifespan="off", log_config=None))
    task = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await task


@pytest.fixture
def encoder() -> HeldEncoder:
    return HeldEncoder()


@pytest.mark.parametrize("path", PATHS)
class TestLeaving:
    async def test_a_request_whose_caller_left_is_dropped_from_the_queue(
        self, settings: EmbeddingSettings, encoder: HeldEncoder, unused_tcp_port: int, path: str
    ):
        async with (
            serve(settings, encoder) as running,
            listening(running, unused_tcp_port) as url,
            httpx.AsyncClient(base_url=url, timeout=60) as stays,
        ):
            first = asyncio.create_task(stays.post(path, json=PATHS[path]("first")))
            await eventually(encoder.started.is_set)
            async with httpx.AsyncClient(base_url=url, timeout=60) as leaves:
                gone = asyncio.create_task(leaves.post(path, json=PATHS[path]("gone")))
                await eventually(lambda: running.batcher.queued_texts == 2)
                gone.cancel()
                await asyncio.wait({gone})
            await eventually(lambda: running.batcher.queued_texts == 1)
            encoder.gate.set()
            assert (await first).status_code == 200
            assert (await stays.post(path, json=PATHS[path]("last"))).status_code == 200

        assert encoder.forwarded == [1, 1]

    async def test_a_caller_that_leaves_does_not_take_the_answer_of_another_along(
        self, settings: EmbeddingSettings, encoder: HeldEncoder, unused_tcp_port: int, path: str
    ):
        async with (
            serve(settings, encoder) as running,
            listening(running, unused_tcp_port) as url,
            httpx.AsyncClient(base_url=url, timeout=60) as stays,
        ):
            async with httpx.AsyncClient(base_url=url, timeout=60) as leaves:
                gone = asyncio.create_task(leaves.post(path, json=PATHS[path]("same")))
                await eventually(encoder.started.is_set)
                before = await coalesced(stays)
                kept = asyncio.create_task(stays.post(path, json=PATHS[path]("same")))
                await eventually(lambda: has_joined(stays, before))
                gone.cancel()
                await asyncio.wait({gone})
            encoder.gate.set()
            assert (await kept).status_code == 200

        assert encoder.forwarded == [1]


async def has_joined(client: httpx.AsyncClient, before: float) -> bool:
    return await coalesced(client) > before


async def coalesced(client: httpx.AsyncClient) -> float:
    lines = (await client.get("/metrics")).text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("ml_embedding_coalesced_texts_total "))
