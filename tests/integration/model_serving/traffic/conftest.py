"""Models and services for the tests of traffic."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.model_serving.conftest import publisher
from tests.integration.model_serving.publisher import Publisher
from tests.integration.model_serving.running import Service, eventually, serving
from tests.integration.model_serving.traffic.steering import INPUTS

__all__ = ["publisher"]


@pytest.fixture
def versions(publisher: Publisher) -> Publisher:
    """Return a publisher of a model with version 1 in production, and versions 2 and 3 beside it."""
    publisher.promote(publisher.linear(1.0))
    publisher.linear(2.0)
    publisher.linear(3.0)
    return publisher


@pytest.fixture
async def service(settings_env: dict[str, str], versions: Publisher, tmp_path: Path) -> AsyncIterator[Service]:
    """Yield a service that serves version 1."""
    async with serving(settings_env, versions, tmp_path, ML_SERVING_TRAFFIC_INTERVAL="100ms") as running:
        await eventually(lambda: running.serves(versions.name, "1", INPUTS))
        yield running
