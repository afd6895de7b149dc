"""A version's `MLmodel` file and input example, read from the registry without the rest of its artifacts."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlflow.models import ModelSignature
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from mlplatform.registry.connection import open_client, registry_errors
from mlplatform.registry.model_version import ModelVersion
from services.model_serving.loading.example import SERVING_EXAMPLE, InputExample, read_example
from services.model_serving.loading.model_file import metadata_of, read_model_file

DESCRIPTION = "MLmodel"


@dataclass(frozen=True, slots=True)
class Description:
    """What a version says about itself.

    Attributes:
        signature: What it takes and answers.
        example: That was logged with it.
        metadata: Such as `ml.task`.
    """

    signature: ModelSignature | None
    example: InputExample | None
    metadata: Mapping[str, Any] = field(default_factory=dict)


def read_description(tracking_url: str, version: ModelVersion) -> Description:
    """Download two small files.

    Raises:
        RegistryUnavailable: MLflow or its artifact store is down, or the file is gone.
    """
    with registry_errors(tracking_url), tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        location = open_client(tracking_url).get_model_version_download_uri(version.name, version.version)
        repository = get_artifact_repository(location, tracking_uri=tracking_url)
        repository.download_artifacts(DESCRIPTION, name)
        model = read_model_file(folder)
        if (model.saved_input_example_info or {}).get("serving_input_path"):
            repository.download_artifacts(SERVING_EXAMPLE, name)
        return Description(model.signature, read_example(folder, model), metadata_of(model))
