"""Registration of an embedding model as a version of a registered model. Calls block."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from mlflow.entities import LoggedModelStatus
from mlflow.exceptions import RestException

from mlplatform.registry import tags as tag
from mlplatform.registry.connection import open_client, registry_errors
from mlplatform.registry.model_version import ModelVersion
from mlplatform.registry.register import register_model_version
from mlplatform.registry.registry import Registry

SERVICE = "embedding"
KIND = "text-embedder"

Write = Callable[[Path, str, str], None]
"""Writes the artifacts into a folder, given the id of the logged model and where they will be stored."""


def register(registry: Registry, name: str, write: Write, *, description: str) -> ModelVersion:
    """Register a model that the embedding service serves.

    Args:
        registry: Where to.
        name: The registered model; made when missing.
        write: Writes the artifacts.
        description: Of the version.

    Raises:
        RegistryUnavailable: MLflow is down.
    """
    return register_model_version(
        registry, name, log_model(registry, name, write), model_tags={tag.SERVED_BY: SERVICE}, description=description
    )


def log_model(registry: Registry, name: str, write: Write) -> str:
    """Store the artifacts as a logged model.

    Returns:
        Its URI.
    """
    client = open_client(registry.tracking_url)
    with registry_errors(registry.tracking_url), tempfile.TemporaryDirectory() as folder:
        logged = client.create_logged_model(_experiment(registry, name), name=name, model_type=KIND)
        write(Path(folder), logged.model_id, logged.artifact_location)
        client.log_model_artifacts(logged.model_id, folder)
        client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)
    return f"models:/{logged.model_id}"


def _experiment(registry: Registry, name: str) -> str:
    client = open_client(registry.tracking_url)
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    try:
        return str(client.create_experiment(name))
    except RestException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        return str(client.get_experiment_by_name(name).experiment_id)
