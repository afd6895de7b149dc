"""A registry to publish to, with plain MLflow pointed at the same server."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import mlflow
import pytest

from mlplatform.registry.registry import Registry
from tests.integration.model_serving.publisher import Publisher


@pytest.fixture
def publisher(stack_env: dict[str, str], unique: str) -> Iterator[Publisher]:
    """Yield a publisher of models named after this test, all deleted afterwards."""
    with publishing(stack_env["ML_MLFLOW_URL"], unique) as publisher:
        yield publisher


@pytest.fixture(scope="module")
def module_publisher(stack_env: dict[str, str]) -> Iterator[Publisher]:
    """Yield a publisher for a service that all tests of a module ask, each about models of its own."""
    with publishing(stack_env["ML_MLFLOW_URL"], f"t{uuid4().hex[:12]}") as publisher:
        yield publisher


@contextmanager
def publishing(url: str, name: str) -> Iterator[Publisher]:
    """Point MLflow at a server for the time of the block, and delete there what was registered under a name or longer.

    Args:
        url: Of the server.
        name: Of the model.
    """
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(url)
    yield Publisher(Registry(url), name)
    client = mlflow.MlflowClient(url)
    for model in client.search_registered_models(f"name LIKE '{name}%'"):
        client.delete_registered_model(model.name)
    mlflow.set_tracking_uri(before)
