"""Predictions over HTTP."""

from collections.abc import AsyncIterator

import httpx
import numpy as np
import pytest
import pytest_asyncio

from mlplatform.registry.model_version import ModelVersion
from mlplatform.registry.stages import STAGING
from tests.integration.model_serving.publisher import Publisher, frame_of, records_of
from tests.integration.model_serving.running import Service, eventually, serving

FRAME = frame_of(5, seed=7)
INPUTS = records_of(FRAME)
DOUBLER = """
    import mlflow
    from features import double

    class Doubler(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return double(model_input["a"]).to_numpy()

    mlflow.models.set_model(Doubler())
"""
FEATURES = """
    def double(values):
        return values * 2
"""
BROKEN = """
    import mlflow

    class Broken(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            if (model_input["a"] > 100).any():
                raise KeyError("holds 4711")
            return model_input["a"].to_numpy()

    mlflow.models.set_model(Broken())
"""

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(
    module_env: dict[str, str], module_publisher: Publisher, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    limits = {"ML_SERVING_MAX_ROWS": "10", "ML_MAX_BODY_SIZE": "20000"}
    async with serving(module_env, module_publisher, tmp_path_factory.mktemp("serving"), **limits) as running:
        yield running


@pytest.fixture
def publisher(module_publisher: Publisher, unique: str) -> Publisher:
    """Return a publisher of a model of the test's own to the service of the module."""
    return module_publisher.of(unique)


def problem(answer: httpx.Response) -> tuple[int, str]:
    """Return the status and the code of a failure."""
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


async def promoted(service: Service, publisher: Publisher, version: ModelVersion) -> None:
    publisher.promote(version)
    await eventually(lambda: service.serves(version.name, version.version, INPUTS))


class TestFlavors:
    async def test_scikit_learn_is_answered_as_mlflow_answers(self, service: Service, publisher: Publisher) -> None:
        version = publisher.linear(3.0)
        await promoted(service, publisher, version)
        answer = await service.predict(publisher.name, INPUTS)
        assert answer.json() == {
            "model": publisher.name,
            "version": "1",
            "predictions": publisher.pyfunc(version, FRAME).tolist(),
        }
        assert answer.headers["X-Model-Name"] == publisher.name
        assert answer.headers["X-Model-Version"] == "1"
        assert answer.headers["X-Model-Route"] == "primary"

    async def test_lightgbm_is_answered_as_mlflow_answers(self, service: Service, publisher: Publisher) -> None:
        version = publisher.lightgbm()
        await promoted(service, publisher, version)
        answer = await service.predict(publisher.name, INPUTS)
        assert answer.json()["predictions"] == publisher.pyfunc(version, FRAME).tolist()

    async def test_models_from_code_are_answered_as_mlflow_answers(
        self, service: Service, publisher: Publisher
    ) -> None:
        await promoted(service, publisher, publisher.code(DOUBLER, features=FEATURES))
        answer = await service.predict(publisher.name, INPUTS)
        np.testing.assert_array_equal(answer.json()["predictions"], FRAME["a"] * 2)

    async def test_columns_and_rows_are_answered_as_records_are(self, service: Service, publisher: Publisher) -> None:
        await promoted(service, publisher, publisher.linear())
        forms = (INPUTS, FRAME.to_dict("list"), FRAME.to_numpy().tolist())
        answers = [(await service.predict(publisher.name, form)).json() for form in forms]
        assert answers[0] == answers[1] == answers[2]


class TestChoice:
    async def test_a_version_an_alias_or_production(self, service: Service, publisher: Publisher) -> None:
        first, second, third = (publisher.linear(slope) for slope in (1.0, 2.0, 3.0))
        await promoted(service, publisher, first)
        publisher.registry.set_alias(publisher.name, STAGING, second.version)
        answers = {
            "primary": await service.predict(publisher.name, INPUTS, alias="production"),
            "alias": await service.predict(publisher.name, INPUTS, alias=STAGING),
            "version": await service.predict(publisher.name, INPUTS, version=int(third.version)),
        }
        assert [answer.json()["version"] for answer in answers.values()] == ["1", "2", "3"]
        assert [answer.headers["X-Model-Route"] for answer in answers.values()] == list(answers)
        assert answers["alias"].json()["alias"] == STAGING
        np.testing.assert_allclose(answers["version"].json()["predictions"], FRAME["a"] * 3)

    async def test_what_does_not_exist_is_404(self, service: Service, publisher: Publisher) -> None:
        publisher.linear()
        answers = [
            await service.predict("no-such-model", INPUTS),
            await service.predict("no-such-model", INPUTS, version="1"),
            await service.predict(publisher.name, INPUTS, version="99"),
            await service.predict(publisher.name, INPUTS, alias="no-such-alias"),
            await service.predict(publisher.name, INPUTS),
        ]
        assert [problem(answer) for answer in answers] == [
            (404, "model_not_found"),
            (404, "model_not_found"),
            (404, "version_not_found"),
            (404, "alias_not_found"),
            (404, "alias_not_found"),
        ]

    async def test_a_model_of_another_service_is_404(self, service: Service, publisher: Publisher) -> None:
        publisher.promote(publisher.linear(served_by="embedding"))
        await promoted(service, publisher, publisher.linear(name=f"{publisher.name}-mine"))
        for fields in ({}, {"version": "1"}, {"alias": "production"}):
            answer = await service.predict(publisher.name, INPUTS, **fields)
            assert problem(answer) == (404, "model_not_found")
            assert "embedding" in answer.json()["detail"]

    async def test_a_version_that_cannot_be_loaded_is_503_with_the_reason(
        self, service: Service, publisher: Publisher
    ) -> None:
        publisher.linear(serialization_format="cloudpickle")
        for _ in range(2):
            answer = await service.predict(publisher.name, INPUTS, version="1")
            assert problem(answer) == (503, "model_not_loaded")
            assert "ML_SERVING_ALLOW_PICKLE" in answer.json()["detail"]
            assert answer.headers["Retry-After"]


class TestBadInput:
    async def test_inputs_that_do_not_fit_are_422_by_field(self, service: Service, publisher: Publisher) -> None:
        await promoted(service, publisher, publisher.linear())
        for inputs, fields in (
            ([{"a": 1, "b": 2}], ["body.inputs.0.c"]),
            ([{"a": 1, "b": 2, "c": 3, "d": 4}], ["body.inputs.0"]),
            ([{"a": "text", "b": 2, "c": 3}], ["body.inputs.0.a"]),
            ([[1, 2]], ["body.inputs.0"]),
            ({"a": [1], "b": [1], "c": [1, 2]}, ["body.inputs"]),
            ([[1, 2, 3]] * 11, ["body.inputs"]),
            ("text", ["body.inputs"]),
            (None, ["body.inputs"]),
        ):
            answer = await service.predict(publisher.name, inputs)
            assert problem(answer) == (422, "invalid_inputs")
            assert [error["field"] for error in answer.json()["errors"]] == fields

    async def test_what_only_the_model_knows_to_refuse_is_422(self, service: Service, publisher: Publisher) -> None:
        await promoted(service, publisher, publisher.linear())
        null = await service.predict(publisher.name, [[1, 2, None]])
        assert problem(null) == (422, "inputs_refused")
        parameter = await service.predict(publisher.name, INPUTS, params={"horizon": 3})
        assert problem(parameter) == (422, "invalid_inputs")

    async def test_a_model_that_breaks_is_500_without_its_words(self, service: Service, publisher: Publisher) -> None:
        await promoted(service, publisher, publisher.code(BROKEN))
        answer = await service.predict(publisher.name, [[1000, 0, 0]])
        assert problem(answer) == (500, "model_failed")
        assert "4711" not in answer.text

    async def test_a_body_that_cannot_be_read(self, service: Service) -> None:
        for body, expected in (
            (b'{"model": "m", "inputs": [], "version": "1", "alias": "x"}', (422, "unprocessable")),
            (b'{"model": "m"}', (422, "unprocessable")),
            (b'{"inputs": []}', (422, "unprocessable")),
            (b'{"model": "m", "inputs": [], "verison": "1"}', (422, "unprocessable")),
            (b'{"model": "m", "inputs": [], "version": "0"}', (422, "unprocessable")),
            (b'{"model": "m", "inputs": [], "version": 1.5}', (422, "unprocessable")),
            (b'{"model": "a/b", "inputs": []}', (422, "unprocessable")),
            (b'{"model": "m", "inputs": [], "alias": "a b"}', (422, "unprocessable")),
            (b"[]", (422, "unprocessable")),
            (b'{"model": "m", "inputs": [NaN]}', (400, "bad_request")),
            (b"{", (400, "bad_request")),
            (b"[" * 5000, (400, "bad_request")),
            (b" " * 20001, (413, "payload_too_large")),
        ):
            answer = await service.client.post(
                "/api/v1/predict", content=body, headers={"content-type": "application/json"}
            )
            assert problem(answer) == expected, body[:60]

    async def test_another_content_type_is_415(self, service: Service) -> None:
        answer = await service.client.post("/api/v1/predict", content=b"{}", headers={"content-type": "text/csv"})
        assert problem(answer) == (415, "unsupported_media_type")
