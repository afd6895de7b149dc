"""A folder with a cross-encoder as a version in the registry. Calls block."""

import shutil
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from mlflow.models import Model, ModelSignature
from mlflow.types.schema import ColSpec, Schema

from mlplatform.embedders.registering import register
from mlplatform.registry.digest import artifact_digest
from mlplatform.registry.model_version import ModelVersion
from mlplatform.registry.registry import Registry
from mlplatform.rerankers.loading import check

NAME = "text-reranker"
"""The registered model that the embedding service loads."""
KIND = "text-reranker"
FLAVOR = "cross_encoder"
"""MLflow has no flavor for cross-encoders; this one is the platform's."""
MODEL_FOLDER = "model.cross_encoder"


class Published(NamedTuple):
    """A registered cross-encoder.

    Attributes:
        version: In the registry.
        weights: Digest of the model's own files.
    """

    version: ModelVersion
    weights: str


def publish(registry: Registry, name: str, folder: Path, *, metadata: Mapping[str, str], description: str) -> Published:
    """Load a model once, and register it.

    Args:
        registry: Where to.
        name: The registered model that it becomes a version of; made when missing.
        folder: The model and nothing else, checked, as `embedders.source.opened` yields it.
        metadata: What else is known of the model.
        description: Of the version.

    Raises:
        EmbedderError: It does not load, or its scores are of no use.
        RegistryUnavailable: MLflow is down.
    """
    check(folder)
    registered = register(
        registry,
        name,
        lambda target, model_id, location: _write(folder, target, model_id, location, metadata),
        description=description,
        kind=KIND,
    )
    return Published(registered, artifact_digest(folder))


def _write(model: Path, folder: Path, model_id: str, location: str, metadata: Mapping[str, str]) -> None:
    shutil.copytree(model, folder / MODEL_FOLDER)
    library = version("sentence-transformers")
    signature = ModelSignature(
        Schema([ColSpec("string", "query"), ColSpec("string", "document")]), Schema([ColSpec("double", "score")])
    )
    described = Model(model_id=model_id, artifact_path=location, signature=signature, metadata=dict(metadata))
    described.add_flavor(FLAVOR, sentence_transformers_version=library, data=MODEL_FOLDER)
    described.save(str(folder / "MLmodel"))
    (folder / "requirements.txt").write_text(f"sentence-transformers=={library}\n")
