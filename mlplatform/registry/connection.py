"""The MLflow client, set up to fail within seconds, and its errors in the platform's words."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException, RestException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from mlplatform.registry.errors import RegistryRefused, RegistryUnavailable

CLIENT_DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
SERVER_FAULTS = frozenset({"INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED"})


def open_client(tracking_url: str) -> MlflowClient:
    """Make a client for one server.

    MLflow takes timeouts and retries only from the environment of the process; a value already there is kept.

    Args:
        tracking_url: `http://host:port` of the MLflow server.
    """
    for name, value in CLIENT_DEFAULTS.items():
        os.environ.setdefault(name, value)
    return MlflowClient(tracking_uri=tracking_url, registry_uri=tracking_url)


def copy_artifacts(tracking_url: str, location: str, folder: Path, path: str = "") -> None:
    """Download artifacts under a location into a folder.

    Args:
        tracking_url: The server that `mlflow-artifacts:` locations are relative to.
        location: `mlflow-artifacts:/…`, `s3://…` or another URI that MLflow reads.
        folder: Where to.
        path: Which of them; all when empty.
    """
    get_artifact_repository(location, tracking_uri=tracking_url).download_artifacts(path, str(folder))


@contextmanager
def registry_errors(url: str) -> Iterator[None]:
    """Turn what MLflow raises into the errors of `mlplatform.registry.errors`.

    Args:
        url: The server, for the message.

    Raises:
        RegistryUnavailable: The server does not answer or has a fault of its own.
        RegistryRefused: The server will not do what was asked.
    """
    try:
        yield
    except RestException as error:
        if error.error_code in SERVER_FAULTS:
            raise RegistryUnavailable(
                f"MLflow at {url} failed: {error.message}. Look at its log; its database may be down."
            ) from error
        raise RegistryRefused(f"MLflow refused: {error.message}") from error
    except MlflowException as error:
        raise RegistryUnavailable(
            f"MLflow at {url} does not answer. Start it, or set ML_MLFLOW_URL to where it runs."
        ) from error


def is_missing(error: RegistryRefused) -> bool:
    """Whether MLflow refused because the thing named does not exist."""
    cause = error.__cause__
    return isinstance(cause, RestException) and cause.error_code == "RESOURCE_DOES_NOT_EXIST"
