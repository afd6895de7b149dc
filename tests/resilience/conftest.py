"""A stack of these tests' own, since they kill its processes."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import mlflow
import pytest

from mlplatform.registry.registry import Registry
from mlplatform.stack import Stack
from tests.fixtures.stack import OF_THE_STACK, UP_SECONDS, free_ports
from tests.integration.model_serving.publisher import Publisher


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """Yield a running stack without rate limits, deleted with all of its data afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="mlp-resilience-", dir=os.environ["ML_TEST_RUN"]))
    folder.chmod(0o711)  # for Postgres, which runs as another user when root runs the tests
    own = {"ML_RATE_LIMIT_ENABLED": "false", "ML_EMBEDDING_BACKEND": OF_THE_STACK["ML_EMBEDDING_BACKEND"]}
    settings = free_ports() | own | {"PATH": os.environ["PATH"]}
    stack = Stack(folder / ".mlp", settings)
    try:
        stack.up(seconds=UP_SECONDS)
        yield stack
    finally:
        stack.reset()
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def publisher(stack: Stack) -> Iterator[Publisher]:
    """Yield a publisher of models into the registry of the stack."""
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(stack.env()["ML_MLFLOW_URL"])
    mlflow.set_experiment(experiment_id="0")  # not one of the other server, which a test of this process may have set
    yield Publisher(Registry(stack.env()["ML_MLFLOW_URL"]), f"m{uuid4().hex[:8]}")
    mlflow.set_tracking_uri(before)


@pytest.fixture(scope="module")
def model(publisher: Publisher) -> str:
    """Return the name of a model in production."""
    publisher.promote(publisher.linear())
    return publisher.name


@pytest.fixture(scope="module")
def text_model(publisher: Publisher) -> str:
    """Return the name of a model of texts."""
    return publisher.counter(name=f"{publisher.name}-texts").name
