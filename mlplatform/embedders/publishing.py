"""A folder with an embedding model as a version in the registry. Calls block."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from mlplatform.embedders.artifacts import write_artifacts
from mlplatform.embedders.loading import dimension_of
from mlplatform.embedders.registering import register
from mlplatform.registry.digest import artifact_digest
from mlplatform.registry.model_version import ModelVersion
from mlplatform.registry.registry import Registry


class Published(NamedTuple):
    """A registered embedding model.

    Attributes:
        version: In the registry.
        dimension: Length of a vector.
        weights: Digest of the model's own files, which embedding spaces go by.
    """

    version: ModelVersion
    dimension: int
    weights: str


def publish(
    registry: Registry,
    name: str,
    folder: Path,
    *,
    metadata: Mapping[str, str],
    description: str,
    tags: Mapping[str, str] | None = None,
    run_id: str | None = None,
) -> Published:
    """Load a model once, and register it.

    Args:
        registry: Where to.
        name: The registered model that it becomes a version of; made when missing.
        folder: The model and nothing else, checked, as `source.opened` yields it.
        metadata: What else is known of the model.
        description: Of the version.
        tags: Of the version.
        run_id: The run that made the model; None when none did.

    Raises:
        EmbedderError: It does not load, or its vectors are of no use.
        RegistryUnavailable: MLflow is down.
    """
    dimension = dimension_of(folder)
    weights = artifact_digest(folder)
    version = register(
        registry,
        name,
        lambda target, model_id, location: write_artifacts(
            folder, target, model_id=model_id, location=location, dimension=dimension, metadata=metadata
        ),
        description=description,
        tags=tags,
        run_id=run_id,
    )
    return Published(version, dimension, weights)
