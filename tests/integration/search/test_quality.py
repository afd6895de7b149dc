"""What both legs find together on judged collections, by the default model and `mlp search eval`."""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from unittest import mock

import httpx
import pytest
import pytest_asyncio
import uvicorn
from fastapi import FastAPI
from typer.testing import CliRunner

from mlplatform.cli.app import app as mlp
from services.embedding.app import create_app as create_embedding
from services.embedding.encoding.machine import this_machine
from services.embedding.encoding.selection import obstacle
from services.embedding.settings import EmbeddingSettings
from services.search.app import create_app as create_search
from services.search.settings import SearchSettings
from tests.fixtures.listener import listening
from tests.integration.embedding.waiting import eventually

DATA = os.environ.get("ML_DATA_DIR")
BACKEND = "openvino-bf16" if obstacle("openvino-bf16", this_machine()) is None else "openvino-fp32"
"""One that is ready in seconds, and costs less than PyTorch to embed 2,860 documents with."""
LEAST = {"cranfield": 0.565, "cisi": 0.450}
WORSE = -0.005
"""How far both legs together may be below the better one, as a share of it."""
SECONDS = 900


@asynccontextmanager
async def running(app: FastAPI, listener: socket.socket) -> AsyncIterator[None]:
    """Run a service for the time of the block."""
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none"))
    task = asyncio.create_task(server.serve([listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await task


def url_of(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


async def has_chosen(client: httpx.AsyncClient) -> bool:
    """Whether the embedding service is up, and computes with what it is to compute with."""
    try:
        answer = await client.get("/info")
    except httpx.TransportError:
        return False
    return answer.status_code == 200 and bool(answer.json()["encoder"]["choice"]["complete"])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def search_url(module_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """Both services as processes would run them, one stack for all collections; where search listens."""
    with listening() as embedding_port, listening() as search_port:
        own = {
            "ML_HOME": str(tmp_path_factory.mktemp("home")),
            "ML_EMBEDDING_URL": url_of(embedding_port),
            "ML_EMBEDDING_BACKEND": BACKEND,
            "ML_EMBEDDING_THREADS": "1",
            "ML_RATE_LIMIT_ENABLED": "false",
            "ML_SEARCH_LEG_TIMEOUT": "60s",
        }
        with mock.patch.dict(os.environ, module_env | own):
            embedding, search = create_embedding(EmbeddingSettings()), create_search(SearchSettings())
        async with (
            running(embedding, embedding_port),
            running(search, search_port),
            httpx.AsyncClient(base_url=url_of(embedding_port), timeout=60, trust_env=False) as client,
        ):
            await eventually(lambda: has_chosen(client), SECONDS)
            yield url_of(search_port)


@pytest.mark.skipif(DATA is None, reason="ML_DATA_DIR names no folder with the collections ir/cranfield and ir/cisi")
@pytest.mark.timeout(SECONDS)
@pytest.mark.asyncio(loop_scope="module")
class TestFused:
    @pytest.mark.parametrize("name", LEAST)
    async def test_is_good_enough_and_no_worse_than_the_better_leg(self, search_url, name):
        folder = Path(str(DATA)) / "ir" / name
        words = ["search", "eval", str(folder), "--url", search_url, "--json", "--no-mlflow", "--timeout", str(SECONDS)]

        done = await asyncio.to_thread(CliRunner().invoke, mlp, words)

        assert done.exit_code == 0, done.output
        figures = json.loads(done.stdout.splitlines()[-1])  # before it is the log of the services
        assert figures["failed_documents"] == 0
        assert figures["rankings"]["convex"]["ndcg_at_10"] >= LEAST[name], figures["rankings"]
        assert figures["fused_against_better_leg"] >= WORSE, figures["rankings"]
        assert all(ranking["incomplete_answers"] == 0 for ranking in figures["rankings"].values())
