"""Models and versions over HTTP."""

from collections.abc import AsyncIterator

import mlflow
import pytest
import pytest_asyncio

from mlplatform.registry.stages import PRODUCTION, STAGING
from tests.integration.model_serving.logged import log_linear
from tests.integration.model_serving.publisher import Publisher, frame_of, records_of
from tests.integration.model_serving.running import Service, eventually, serving

INPUTS = records_of(frame_of(3, seed=7))

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(
    module_env: dict[str, str], module_publisher: Publisher, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    async with serving(module_env, module_publisher, tmp_path_factory.mktemp("serving")) as running:
        yield running


@pytest.fixture
def publisher(module_publisher: Publisher, unique: str) -> Publisher:
    """Return a publisher of a model of the test's own to the service of the module."""
    return module_publisher.of(unique)


class TestListModels:
    async def test_pages_hold_every_model_once(self, service: Service, publisher: Publisher) -> None:
        client = mlflow.MlflowClient()
        # Before all others: a page token counts models, and other tests delete theirs meanwhile.
        names = [f"!!{publisher.name}-{letter}" for letter in "abc"]
        for name in names:
            client.create_registered_model(name)
        seen: list[str] = []
        parameters = {"limit": "2"}
        while True:
            content = (await service.client.get("/api/v1/models", params=parameters)).json()
            assert len(content["models"]) <= 2
            seen += [model["name"] for model in content["models"]]
            if content["next_cursor"] is None:
                break
            parameters["cursor"] = content["next_cursor"]
        for name in names:
            client.delete_registered_model(name)
        assert [name for name in seen if publisher.name in name] == names

    async def test_one_that_comes_between_two_pages_brings_none_up_twice(
        self, service: Service, publisher: Publisher
    ) -> None:
        client = mlflow.MlflowClient()
        for letter in "ab":
            client.create_registered_model(f"{publisher.name}-{letter}")
        page = (await service.client.get("/api/v1/models", params={"limit": "1"})).json()
        client.create_registered_model(f"!{publisher.name}")  # before all others
        parameters = {"limit": "1", "cursor": page["next_cursor"]}
        following = (await service.client.get("/api/v1/models", params=parameters)).json()
        client.delete_registered_model(f"!{publisher.name}")
        assert page["models"][0]["name"] not in [model["name"] for model in following["models"]]

    async def test_a_cursor_that_is_not_ours_is_refused(self, service: Service) -> None:
        for cursor in ("nonsense", "e30=", "bm90IGpzb24=", "'", "\x00"):
            answer = await service.client.get("/api/v1/models", params={"cursor": cursor})
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor")

    async def test_a_limit_out_of_range_is_refused(self, service: Service) -> None:
        for limit in ("0", "201", "x"):
            assert (await service.client.get("/api/v1/models", params={"limit": limit})).status_code == 422


class TestReadModel:
    async def test_shows_aliases_versions_and_what_is_in_memory(self, service: Service, publisher: Publisher) -> None:
        first, second = publisher.linear(1.0), publisher.linear(2.0)
        publisher.promote(first)
        publisher.registry.set_alias(publisher.name, STAGING, second.version)
        await eventually(lambda: service.serves(publisher.name, "1", INPUTS))
        model = (await service.client.get(f"/api/v1/models/{publisher.name}")).json()
        assert model["aliases"] == {PRODUCTION: "1", STAGING: "2"}
        assert [version["version"] for version in model["versions"]] == ["2", "1"]
        assert [version["aliases"] for version in model["versions"]] == [[STAGING], [PRODUCTION]]
        assert [(state["version"], state["role"]) for state in model["loaded"]] == [("1", "production")]
        assert model["failure"] is None
        assert model["complete"] is True

    async def test_an_unknown_name_is_404(self, service: Service) -> None:
        for name in ("no-such-model", "a:b", "%00", "x" * 300):
            answer = await service.client.get(f"/api/v1/models/{name}")
            assert (answer.status_code, answer.json()["code"]) == (404, "model_not_found")


class TestReadVersion:
    async def test_shows_all_that_a_caller_needs(self, service: Service, publisher: Publisher) -> None:
        version = publisher.linear()
        content = (await service.client.get(f"/api/v1/models/{publisher.name}/versions/1")).json()
        assert content["digest"] == version.digest
        assert content["signature"]["inputs"] == [
            {"type": "double", "name": name, "required": True} for name in ("a", "b", "c")
        ]
        assert content["loaded"] is None
        answer = await service.predict(publisher.name, content["input_example"], version="1")
        assert answer.status_code == 200
        content = (await service.client.get(f"/api/v1/models/{publisher.name}/versions/1")).json()
        assert content["loaded"]["role"] == "extra"
        assert content["loaded"]["path"] == "native"
        assert "equals MLflow" in content["loaded"]["path_reason"]
        assert content["loaded"]["row_wise"] is True
        assert content["loaded"]["size_bytes"] > 0

    async def test_shows_the_metrics_of_its_run(self, service: Service, publisher: Publisher) -> None:
        with mlflow.start_run():
            mlflow.log_metric("rmse", 0.25)
            publisher.register(log_linear.__wrapped__(publisher.registry.tracking_url, 1.0, ()))
        content = (await service.client.get(f"/api/v1/models/{publisher.name}/versions/1")).json()
        assert content["metrics"] == {"rmse": 0.25}

    async def test_an_unknown_version_is_404(self, service: Service, publisher: Publisher) -> None:
        publisher.linear()
        for version in ("99", "0", "x", "9" * 40, "-1"):
            answer = await service.client.get(f"/api/v1/models/{publisher.name}/versions/{version}")
            assert (answer.status_code, answer.json()["code"]) == (404, "version_not_found")


class TestReadExample:
    async def test_is_a_request_that_works(self, service: Service, publisher: Publisher) -> None:
        publisher.linear()
        body = (await service.client.get(f"/api/v1/models/{publisher.name}/versions/1/example")).json()
        answer = await service.client.post("/api/v1/predict", json=body)
        assert answer.json()["version"] == "1"
        assert len(answer.json()["predictions"]) == 2

    async def test_a_version_without_one_is_404_with_the_remedy(self, service: Service, publisher: Publisher) -> None:
        publisher.linear(input_example=None)
        answer = await service.client.get(f"/api/v1/models/{publisher.name}/versions/1/example")
        assert (answer.status_code, answer.json()["code"]) == (404, "example_missing")
        assert "input_example=" in answer.json()["detail"]
