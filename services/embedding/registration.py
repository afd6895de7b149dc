"""Registration of the default model in the registry, once, whichever replica comes first. Calls block."""

from pathlib import Path

import structlog

from mlplatform.embedders.registering import register
from mlplatform.registry.errors import ModelNotFound
from mlplatform.registry.registry import Registry
from mlplatform.registry.stages import PRODUCTION, Stage
from services.embedding.package import SOURCE, write_artifacts

MODEL = "text-embedder"

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
    version = register(registry, MODEL, _write, description=f"{SOURCE}, as installed with the platform.")
    registry.set_alias(MODEL, PRODUCTION, version.version)
    registry.mirror_stage(MODEL, version.version, Stage.PRODUCTION)
    log.info("embedding.model_registered", model=MODEL, version=version.version, digest=version.digest)


def _write(folder: Path, model_id: str, location: str) -> None:
    write_artifacts(folder, model_id=model_id, location=location)
