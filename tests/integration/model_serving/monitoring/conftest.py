"""A service that logs everything, and a model with a reference profile."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.model_serving.monitoring.watched import Watched, watched
from tests.integration.model_serving.publisher import Publisher


@pytest.fixture
async def service(settings_env: dict[str, str], publisher: Publisher, tmp_path: Path) -> AsyncIterator[Watched]:
    """Yield a service with a model in production that has a reference profile."""
    async with watched(settings_env, publisher, tmp_path) as running:
        yield running
