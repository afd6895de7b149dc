"""What the store holds for a version now."""

import tempfile
from pathlib import Path

from mlplatform.registry.digest import artifact_digest
from mlplatform.registry.model_version import ModelVersion
from mlplatform.registry.registry import Registry


def measure_digest(registry: Registry, version: ModelVersion) -> str:
    """Download the artifacts of a version, past every cache, and give their digest.

    Raises:
        ValueError: What the store holds is no model.
        ArtifactsUnavailable: They cannot be read.
    """
    with tempfile.TemporaryDirectory() as folder:
        registry.copy_artifacts(version, Path(folder))
        return artifact_digest(Path(folder))
