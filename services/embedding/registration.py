"""Registration of the default model in the registry, once, whichever replica comes first. Calls block."""

import tempfile
from pathlib import Path

import structlog
from mlflow.entities import LoggedModelStatus
from mlflow.exceptions import RestException

from mlplatform.registry import tags as tag
from mlplatform.registry.connection import open_client, registry_errors
from mlplatform.registry.errors import ModelNotFound
from mlplatform.registry.register import register_model_version
from mlplatform.registry.registry import Registry
from mlplatform.registry.stages import PRODUCTION, Stage
from services.embedding.package import SOURCE, write_artifacts

MODEL = "text-embedder"
SERVICE = "embedding"

log = structlog.get_logger(__name__)


def is_registered(registry: Registry) -> bool:
    """Whether the registry has a version of the text embedder in production.

    Raises:
        RegistryUnavailable: MLflow is down.
    """
    try:
        return registry.find_alias(MODEL, PRODUCTION) is not None
    except ModelNotFound:
        return False


def register_default_model(registry: Registry) -> None:
    """Register the installed model and put it in production. The caller holds the lock that lets one do so at a time.

    A model that people registered and did not promote is left as it is; the default joins as one more version.

    Raises:
        WeightsChangedError: The installed weights are not the published ones.
        RegistryUnavailable: MLflow is down.
    """
    version = register_model_version(
        registry,
        MODEL,
        _log_model(registry),
        model_tags={tag.SERVED_BY: SERVICE},
        description=f"{SOURCE}, as installed with the platform.",
    )
    registry.set_alias(MODEL, PRODUCTION, version.version)
    registry.mirror_stage(MODEL, version.version, Stage.PRODUCTION)
    log.info("embedding.model_registered", model=MODEL, version=version.version, digest=version.digest)


def _log_model(registry: Registry) -> str:
    """Store the artifacts as a logged model.

    Returns:
        Its URI.
    """
    client = open_client(registry.tracking_url)
    with registry_errors(registry.tracking_url), tempfile.TemporaryDirectory() as folder:
        logged = client.create_logged_model(_experiment(registry), name=MODEL, model_type="text-embedder")
        write_artifacts(Path(folder), model_id=logged.model_id, location=logged.artifact_location)
        client.log_model_artifacts(logged.model_id, folder)
        client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)
    return f"models:/{logged.model_id}"


def _experiment(registry: Registry) -> str:
    client = open_client(registry.tracking_url)
    found = client.get_experiment_by_name(MODEL)
    if found is not None:
        return str(found.experiment_id)
    try:
        return str(client.create_experiment(MODEL))
    except RestException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        return str(client.get_experiment_by_name(MODEL).experiment_id)
