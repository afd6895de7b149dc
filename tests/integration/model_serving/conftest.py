"""A registry to publish to, with plain MLflow pointed at the same server."""

from collections.abc import Iterator

import mlflow
import pytest

from mlplatform.registry.registry import Registry
from tests.integration.model_serving.publisher import Publisher


@pytest.fixture
def publisher(stack_env: dict[str, str], unique: str) -> Iterator[Publisher]:
    """Yield a publisher of models named after this test, all deleted afterwards."""
    registry = Registry(stack_env["ML_MLFLOW_URL"])
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(stack_env["ML_MLFLOW_URL"])
    yield Publisher(registry, unique)
    client = mlflow.MlflowClient(stack_env["ML_MLFLOW_URL"])
    for model in client.search_registered_models(f"name LIKE '{unique}%'"):
        client.delete_registered_model(model.name)
    mlflow.set_tracking_uri(before)
