"""Small cross-encoders of random weights, in the registry."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import mlflow
import pytest
import torch
from sentence_transformers import CrossEncoder
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

from mlplatform.embedders.source import opened
from mlplatform.registry.registry import Registry
from mlplatform.registry.stages import PRODUCTION
from mlplatform.rerankers.folder import check_folder
from mlplatform.rerankers.publishing import publish
from tests.integration.embedding.tiny import TOKENIZER


def write_cross_encoder(folder: Path, *, seed: int, labels: int = 1) -> Path:
    """Save a model as transformers does, which is how older cross-encoders come, and return where."""
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=30522,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        num_labels=labels,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(TOKENIZER)
    tokenizer.model_max_length = 64
    tokenizer.save_pretrained(folder)
    return folder


def resave(folder: Path, target: Path) -> Path:
    """Save a model as this version of the library does, and return where."""
    CrossEncoder(str(folder), device="cpu", local_files_only=True).save_pretrained(str(target), create_model_card=False)
    return target


@dataclass(frozen=True)
class Rerankers:
    """Versions of the re-ranker in the registry.

    Attributes:
        registry: Where they are.
        name: Registered name.
        folder: Where they are made.
    """

    registry: Registry
    name: str
    folder: Path

    def add(self, seed: int) -> tuple[str, Path]:
        """Register a model; return the number of its version, and the folder it was made in."""
        made = write_cross_encoder(self.folder / f"cross-{seed}", seed=seed)
        with opened(str(made), None, check_folder) as folder:
            published = publish(self.registry, self.name, folder, metadata={}, description=f"seed {seed}")
        return published.version.version, made

    def promote(self, version: str) -> None:
        """Put a version in production."""
        self.registry.set_alias(self.name, PRODUCTION, version)

    def withdraw(self) -> None:
        """Have none in production."""
        self.registry.delete_alias(self.name, PRODUCTION)


@pytest.fixture
def rerankers(stack_env: dict[str, str], unique: str, tmp_path: Path) -> Iterator[Rerankers]:
    """A registry in which the re-ranker has a name of its own, with no version yet."""
    with own_rerankers(stack_env["ML_MLFLOW_URL"], unique, tmp_path) as rerankers:
        yield rerankers


@contextmanager
def own_rerankers(tracking_url: str, unique: str, folder: Path) -> Iterator[Rerankers]:
    """Have a name for the re-ranker for the time of the block."""
    name = f"{unique}-text-reranker"
    yield Rerankers(Registry(tracking_url), name, folder)
    client = mlflow.MlflowClient(tracking_url)
    for model in client.search_registered_models(f"name = '{name}'"):
        client.delete_registered_model(model.name)
