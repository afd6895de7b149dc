"""Models in production for the tests of one module."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import mlflow

from mlplatform.registry.register import register_model_version
from mlplatform.registry.registry import Registry
from mlplatform.registry.stages import PRODUCTION
from tests.contract.wire.models import log_models


@dataclass(frozen=True)
class Published:
    """Models under a prefix of their own.

    Attributes:
        prefix: Of the registered names.
        uris: Name without the prefix → where it was logged.
        registry: Where they are registered.
    """

    prefix: str
    uris: Mapping[str, str]
    registry: Registry

    def name(self, model: str) -> str:
        """Return the registered name."""
        return f"{self.prefix}-{model}"


@contextmanager
def published(url: str, makers: Mapping[str, Callable[[Path], str]], folder: Path) -> Iterator[Published]:
    """Log and promote models; delete them at the end of the block."""
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(url)
    registry = Registry(url)
    found = Published(f"wire-{uuid.uuid4().hex[:8]}", log_models(makers, folder), registry)
    for name, uri in found.uris.items():
        version = register_model_version(registry, found.name(name), uri)
        registry.set_alias(version.name, PRODUCTION, version.version)
    yield found
    client = mlflow.MlflowClient(url)
    for name in found.uris:
        client.delete_registered_model(found.name(name))
    mlflow.set_tracking_uri(before)
