"""A database, Redis and relay of the test's own, with a fast encoder before them."""

import os
from collections.abc import AsyncIterator
from unittest import mock

import pytest
import pytest_asyncio

from mlplatform.events import running
from mlplatform.service.kernel import Kernel, open_kernel
from mlplatform.spaces import changes, repository
from services.embedding import spaces
from services.embedding.batcher import Batcher
from services.embedding.consumer import Indexer
from services.embedding.settings import EmbeddingSettings
from services.embedding.spaces import Space
from tests.integration.embedding.changing import OPERATOR, ready
from tests.integration.embedding.cross_encoders import rerankers
from tests.integration.embedding.tiny import Service, embedders, serving
from tests.unit.embedding.encoders import DIMENSION, WordEncoder

__all__ = ["embedders", "rerankers"]

BACKEND = "torch-fp32"
"""Each test has its own cache: all would measure anew."""


@pytest.fixture
def settings(settings_env: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path) -> EmbeddingSettings:
    for name, value in settings_env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ML_HOME", str(tmp_path))
    monkeypatch.setenv("ML_EMBEDDING_BACKEND", BACKEND)
    return EmbeddingSettings()


@pytest.fixture
def quick(settings: EmbeddingSettings, monkeypatch) -> EmbeddingSettings:
    """Settings that look often, so that a test need not wait."""
    for name, value in {
        "ML_EMBEDDING_SPACE_INTERVAL": "100ms",
        "ML_EMBEDDING_PROMOTION_INTERVAL": "200ms",
        "ML_EMBEDDING_FILL_RATE": "0",
        "ML_EMBEDDING_FILL_RECHECK": "500ms",
        "ML_EMBEDDING_THREADS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    return EmbeddingSettings()


@pytest.fixture(scope="module")
def module_settings(module_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> EmbeddingSettings:
    """Settings for a service that all tests of a module ask."""
    own = {"ML_HOME": str(tmp_path_factory.mktemp("home")), "ML_EMBEDDING_BACKEND": BACKEND}
    with mock.patch.dict(os.environ, module_env | own):
        return EmbeddingSettings()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def real_model(module_settings: EmbeddingSettings) -> AsyncIterator[Service]:
    """The service with the real model, whose loading takes seconds, for tests that leave it as it is."""
    async with serving(module_settings) as service:
        await ready(service)
        yield service


@pytest.fixture
async def kernel(settings: EmbeddingSettings) -> AsyncIterator[Kernel]:
    async with open_kernel(settings, "test") as kernel:
        yield kernel


@pytest.fixture
async def space(kernel: Kernel) -> Space:
    return await spaces.create(
        kernel.database, model="text-embedder", version="1", digest="a" * 64, dimension=DIMENSION
    )


@pytest.fixture
async def indexer(kernel: Kernel, space: Space) -> AsyncIterator[Indexer]:
    batcher = Batcher(WordEncoder(), max_queued_texts=1000)
    async with running(batcher, "encoder"):
        yield Indexer(kernel.database, kernel.relay, batcher, space)


@pytest.fixture
async def building(kernel, space) -> Space:
    """A space beside the active one, of a model that stands for another."""
    record = await changes.plan(kernel.database, "text-embedder", "2", OPERATOR)
    async with kernel.database.transaction() as connection:
        await repository.define_space(connection, record.id, "b" * 64, space.dimension)
    found = (await changes.find_space(kernel.database, record.id)).space
    assert found is not None
    return found
