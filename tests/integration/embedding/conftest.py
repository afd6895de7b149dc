"""A database, Redis and relay of the test's own, with a fast encoder before them."""

from collections.abc import AsyncIterator

import pytest

from mlplatform.events import running
from mlplatform.service.kernel import Kernel, open_kernel
from services.embedding import spaces
from services.embedding.batcher import Batcher
from services.embedding.consumer import Indexer
from services.embedding.settings import EmbeddingSettings
from services.embedding.spaces import Space
from tests.integration.embedding.cross_encoders import rerankers
from tests.integration.embedding.tiny import embedders
from tests.unit.embedding.encoders import DIMENSION, WordEncoder

__all__ = ["embedders", "rerankers"]


@pytest.fixture
def settings(settings_env: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path) -> EmbeddingSettings:
    for name, value in settings_env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ML_HOME", str(tmp_path))
    monkeypatch.setenv("ML_EMBEDDING_BACKEND", "torch-fp32")  # each test has its own cache: all would measure anew
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
