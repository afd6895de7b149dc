"""Aliases that were moved past the platform, as callers and operators of serving see them."""

from pathlib import Path

from prometheus_client import REGISTRY

from mlplatform.registry.stages import PRODUCTION
from tests.integration.model_serving.publisher import Publisher
from tests.integration.model_serving.running import POLLING, eventually, serving


class TestDrift:
    async def test_shows_in_the_api_and_the_metrics_until_it_is_over(
        self, settings_env: dict[str, str], publisher: Publisher, tmp_path: Path
    ) -> None:
        version = publisher.linear()
        publisher.point(version)
        async with serving(settings_env, publisher, tmp_path, ML_SERVING_DRIFT_INTERVAL="100ms", **POLLING) as service:

            async def drift() -> list[dict[str, str]]:
                return (await service.client.get(f"/api/v1/models/{publisher.name}")).json()["drift"]

            async def is_over() -> bool:
                return await drift() == []

            (found,) = await eventually(drift)
            assert (found["alias"], found["kind"], found["found"]) == ("production", "unrecorded", "1")
            assert "past the platform and its gates" in found["message"]
            assert REGISTRY.get_sample_value("ml_registry_drift", {"model": publisher.name}) == 1
            publisher.registry.delete_alias(publisher.name, PRODUCTION)
            await eventually(is_over)
            assert REGISTRY.get_sample_value("ml_registry_drift", {"model": publisher.name}) == 0
