"""Registration of a model that came in a folder as a version of a registered model. Calls block."""

import tempfile
from collections.abc import Callable, Mapping
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


def register(
    registry: Registry,
    name: str,
    write: Write,
    *,
    description: str,
    kind: str = KIND,
    served_by: str | None = SERVICE,
    tags: Mapping[str, str] | None = None,
    run_id: str | None = None,
) -> ModelVersion:
    """Register a model.

    Args:
        registry: Where to.
        name: The registered model; made when missing.
        write: Writes the artifacts.
        description: Of the version.
        kind: What the model is for.
        served_by: The service that serves it; None for model serving.
        tags: Of the version.
        run_id: The run that made the model; None when none did.

    Raises:
        RegistryUnavailable: MLflow is down.
    """
    uri = log_model(registry, name, write, kind=kind, run_id=run_id)
    model_tags = {} if served_by is None else {tag.SERVED_BY: served_by}
    return register_model_version(registry, name, uri, tags=tags, model_tags=model_tags, description=description)


def log_model(registry: Registry, name: str, write: Write, *, kind: str = KIND, run_id: str | None = None) -> str:
    """Store the artifacts as a logged model, of its run's experiment or one of the model's own.

    Returns:
        Its URI.
    """
    client = open_client(registry.tracking_url)
    with registry_errors(registry.tracking_url), tempfile.TemporaryDirectory() as folder:
        experiment = _experiment(registry, name) if run_id is None else client.get_run(run_id).info.experiment_id
        logged = client.create_logged_model(experiment, name=name, source_run_id=run_id, model_type=kind)
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
