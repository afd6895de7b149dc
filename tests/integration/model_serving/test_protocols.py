"""The other protocols over HTTP: addresses, errors, credentials, limits."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from mlplatform.auth import Role
from tests.integration.model_serving.publisher import COLUMNS, Publisher
from tests.integration.model_serving.running import Service, eventually, serving
from tests.integration.model_serving.test_access import token_of

SPLIT = {"dataframe_split": {"columns": list(COLUMNS), "data": [[2.0, 0.0, 0.0]]}}
TENSOR = {"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP64", "data": [2.0, 0.0, 0.0]}]}

SCORED = {"": "1", "/versions/1": "1", "/versions/2": "2", "/aliases/next": "2", "/aliases/production": "1"}
INFERRED = {"": "1", "/versions/2": "2", "/versions/next": "2", "/versions/production": "1"}
"""Part of an address, and the version that answers there."""
UNFIT: list[tuple[list[Any], str]] = [
    ([None, 0, 0], ""),
    (["secret", 0, 0], "dataframe_split.data.0.0"),
    ([1, 2], "data.0"),
]
"""Rows, and what the message names."""

pytestmark = pytest.mark.asyncio(loop_scope="module")


def score(answer: httpx.Response) -> float:
    """Return the only prediction, in whichever protocol."""
    assert answer.status_code == 200, answer.text
    content = answer.json()
    return content["predictions"][0] if "predictions" in content else content["outputs"][0]["data"][0]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(
    module_env: dict[str, str], module_publisher: Publisher, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    """Version 1 of the only model in production, version 2 under an alias."""
    publisher = module_publisher
    publisher.promote(publisher.linear(1.0))
    other = publisher.linear(3.0)
    publisher.registry.set_alias(publisher.name, "next", other.version)
    async with serving(module_env, publisher, tmp_path_factory.mktemp("serving")) as running:
        await eventually(lambda: running.serves(publisher.name, "1", [[1.0, 0.0, 0.0]]))
        yield running


class TestAddresses:
    """A version by its number, by an alias, by a header, or the one in production."""

    async def test_scoring(self, service: Service, module_publisher: Publisher):
        for path, version in SCORED.items():
            answer = await service.client.post(f"/models/{module_publisher.name}{path}/invocations", json=SPLIT)
            assert score(answer) == pytest.approx(2.0 if version == "1" else 6.0), path
            assert answer.headers["x-model-version"] == version, path
            assert answer.headers["x-model-name"] == module_publisher.name
            assert answer.headers["x-model-route"]
            assert answer.headers["x-request-id"]

    async def test_inference(self, service: Service, module_publisher: Publisher):
        for path, version in INFERRED.items():
            answer = await service.client.post(f"/v2/models/{module_publisher.name}{path}/infer", json=TENSOR)
            assert score(answer) == pytest.approx(2.0 if version == "1" else 6.0), path
            assert (answer.headers["x-model-version"], answer.json()["model_version"]) == (version, version), path

    async def test_a_header(self, service: Service, module_publisher: Publisher):
        for path, body in (("/invocations", SPLIT), (f"/v2/models/{module_publisher.name}/infer", TENSOR)):
            answer = await service.client.post(path, json=body, headers={"X-Model-Version": "2"})
            assert score(answer) == pytest.approx(6.0)

    async def test_unknown(self, service: Service, module_publisher: Publisher):
        for path in ("/versions/9", "/versions/x", "/aliases/nobody", "/aliases/a%20b"):
            answer = await service.client.post(f"/models/{module_publisher.name}{path}/invocations", json=SPLIT)
            assert (answer.status_code, answer.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST"), path
            version = path.replace("/aliases/", "/versions/")
            answer = await service.client.post(f"/v2/models/{module_publisher.name}{version}/infer", json=TENSOR)
            assert (answer.status_code, set(answer.json())) == (404, {"error"}), version


class TestDefaultModel:
    """The path that names none."""

    async def test_is_the_only_one(self, service: Service):
        assert score(await service.client.post("/invocations", json=SPLIT)) == pytest.approx(2.0)

    async def test_is_the_one_that_is_set(self, settings_env: dict[str, str], publisher: Publisher, tmp_path: Path):
        for slope in (1.0, 2.0):
            publisher.promote(publisher.linear(slope, name=f"{publisher.name}-{slope:g}"))
        chosen = f"{publisher.name}-2"
        async with serving(settings_env, publisher, tmp_path, ML_SERVING_DEFAULT_MODEL=chosen) as running:
            await eventually(lambda: running.serves(chosen, "1", [[1.0, 0.0, 0.0]]))
            assert score(await running.client.post("/invocations", json=SPLIT)) == pytest.approx(4.0)

    async def test_is_asked_for(self, settings_env: dict[str, str], publisher: Publisher, tmp_path: Path):
        async with serving(settings_env, publisher, tmp_path) as running:
            answer = await running.client.post("/invocations", json=SPLIT)
            assert (answer.status_code, answer.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
            for name in ("a", "b"):
                publisher.promote(publisher.linear(name=f"{publisher.name}-{name}"))
            for name in ("a", "b"):
                await eventually(lambda name=name: running.serves(f"{publisher.name}-{name}", "1", [[1.0, 0, 0]]))
            answer = await running.client.post("/invocations", json=SPLIT)
            assert (answer.status_code, answer.json()["error_code"]) == (400, "BAD_REQUEST")
            assert "ML_SERVING_DEFAULT_MODEL" in answer.json()["message"]


class TestCompatMode:
    """The switch."""

    async def test_converts_as_the_stock_server(
        self, settings_env: dict[str, str], publisher: Publisher, tmp_path: Path
    ):
        publisher.promote(publisher.linear(1.0))
        body = {"dataframe_split": {"columns": list(COLUMNS), "data": [["2.0", 0, 0]]}}
        async with serving(settings_env, publisher, tmp_path, ML_SERVING_MLFLOW_COMPAT="true") as running:
            await eventually(lambda: running.serves(publisher.name, "1", [[1.0, 0.0, 0.0]]))
            assert score(await running.client.post("/invocations", json=body)) == pytest.approx(2.0)
            native = await running.predict(publisher.name, [["2.0", 0, 0]])
            assert native.status_code == 422


class TestErrors:
    """Each in its protocol, whichever layer refuses."""

    async def test_without_a_credential(self, settings_env: dict[str, str], publisher: Publisher, tmp_path: Path):
        async with serving(settings_env, publisher, tmp_path, ML_AUTH_ENABLED="true") as running:
            answer = await running.client.post("/invocations", json=SPLIT)
            assert (answer.status_code, answer.json()["error_code"]) == (401, "UNAUTHENTICATED")
            assert "www-authenticate" in answer.headers
            answer = await running.client.post("/v2/models/m/infer", json=TENSOR)
            assert (answer.status_code, set(answer.json())) == (401, {"error"})
            assert (await running.client.get("/ping")).status_code == 200
            assert (await running.client.get("/v2/health/live")).status_code == 200
            user = token_of(settings_env | {"ML_AUTH_ENABLED": "true"}, Role.USER)
            answer = await running.client.post("/v2/repository/models/m/load", headers=user)
            assert (answer.status_code, set(answer.json())) == (403, {"error"})
            viewer = token_of(settings_env | {"ML_AUTH_ENABLED": "true"}, Role.VIEWER)
            answer = await running.client.post("/invocations", json=SPLIT, headers=viewer)
            assert (answer.status_code, answer.json()["error_code"]) == (403, "PERMISSION_DENIED")

    async def test_a_body_that_is_too_large(self, service: Service):
        for path in ("/invocations", "/v2/models/m/infer"):
            answer = await service.client.post(
                path, content=bytes(50_000_000), headers={"Content-Type": "application/json"}
            )
            assert answer.status_code == 413, path
            assert answer.json().keys() & {"error", "error_code"}, path

    async def test_a_body_of_another_kind(self, service: Service, module_publisher: Publisher):
        for headers in ({"Content-Type": "text/html"}, {"Content-Encoding": "gzip"}):
            answer = await service.client.post(
                f"/v2/models/{module_publisher.name}/infer", content=b"x", headers=headers
            )
            assert (answer.status_code, set(answer.json())) == (415, {"error"}), headers

    async def test_inputs_that_do_not_fit(self, service: Service):
        for row, field in UNFIT:
            body = {"dataframe_split": {"columns": list(COLUMNS), "data": [row]}}
            answer = await service.client.post("/invocations", json=body)
            assert answer.status_code == 400, row
            assert "secret" not in answer.text
            assert field in answer.json()["message"]
