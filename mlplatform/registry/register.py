"""Registration of a logged model as a version, with the digest of its artifacts recorded."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from mlflow.exceptions import RestException

from mlplatform.registry import tags as tag
from mlplatform.registry.connection import copy_artifacts, open_client, registry_errors
from mlplatform.registry.digest import artifact_digest
from mlplatform.registry.model_version import ModelVersion
from mlplatform.registry.registry import Registry

LOGGED_MODEL = "models:/"


def register_model_version(
    registry: Registry,
    name: str,
    model_uri: str,
    *,
    tags: Mapping[str, str] | None = None,
    model_tags: Mapping[str, str] | None = None,
    description: str | None = None,
) -> ModelVersion:
    """Register a logged model under a name, with the digest of what the store holds for it.

    The artifacts are read back from the store first, so the digest is of the bytes that a server will load, and the
    version never exists without it.

    Args:
        registry: Where to.
        name: The registered model; made when missing.
        model_uri: `models:/m-…`, the `model_uri` of what `log_model` returns.
        tags: Tags of the version, such as `mlplatform.registry.tags.EVALUATION_DIGEST`.
        model_tags: Tags of the registered model, such as `mlplatform.registry.tags.SERVED_BY`.
        description: Of the version.

    Returns:
        The version. Its run is the one that logged the model.

    Raises:
        ValueError: `model_uri` does not name a logged model.
        RegistryUnavailable: MLflow is down.
    """
    if not model_uri.startswith(f"{LOGGED_MODEL}m-"):
        raise ValueError(f"{model_uri!r} is not the URI of a logged model: pass log_model(...).model_uri.")
    model_id = model_uri.removeprefix(LOGGED_MODEL)
    client = open_client(registry.tracking_url)
    with registry_errors(registry.tracking_url), tempfile.TemporaryDirectory() as folder:
        logged = client.get_logged_model(model_id)
        copy_artifacts(registry.tracking_url, logged.artifact_location, Path(folder))
        digest = artifact_digest(Path(folder))
        try:
            client.create_registered_model(name)
        except RestException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        for key, value in (model_tags or {}).items():
            client.set_registered_model_tag(name, key, value)
        created = client.create_model_version(
            name,
            model_uri,
            run_id=logged.source_run_id,
            tags={**(tags or {}), tag.DIGEST: digest},
            description=description,
            model_id=model_id,
        )
    return registry.get_version(name, str(created.version))
