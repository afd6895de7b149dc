"""Explanations over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import lightgbm
import mlflow
import numpy as np
import pytest
import pytest_asyncio
from mlflow.models import infer_signature
from sklearn.linear_model import LinearRegression

from mlplatform.monitoring.storage import log_reference_profile
from mlplatform.registry.model_version import ModelVersion
from services.model_serving.schemas import PredictResponse
from tests.integration.model_serving.publisher import REQUIREMENTS, Publisher, frame_of, records_of
from tests.integration.model_serving.running import Service, eventually, serving

FRAME = frame_of(5, seed=7)
INPUTS = records_of(FRAME)
WITHOUT_COLUMNS = """
    import mlflow

    class Constant(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return model_input["a"].to_numpy()

    mlflow.models.set_model(Constant())
"""

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(
    module_env: dict[str, str], module_publisher: Publisher, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    limits = {"ML_SERVING_EXPLAIN_MAX_ROWS": "5", "ML_SERVING_EXPLAIN_MAX_COLUMNS": "9"}
    async with serving(module_env, module_publisher, tmp_path_factory.mktemp("serving"), **limits) as running:
        yield running


@pytest.fixture
def publisher(module_publisher: Publisher, unique: str) -> Publisher:
    """Return a publisher of a model of the test's own to the service of the module."""
    return module_publisher.of(unique)


async def promoted(service: Service, publisher: Publisher, version: ModelVersion) -> None:
    publisher.promote(version)
    await eventually(lambda: service.serves(version.name, version.version, INPUTS))


def classifier(publisher: Publisher, classes: int) -> ModelVersion:
    """Register a booster for some classes."""
    frame = frame_of(200)
    parameters = {"verbosity": -1, "num_threads": 1, "objective": "multiclass", "num_class": classes}
    booster = lightgbm.train(parameters, lightgbm.Dataset(frame, (frame["a"] * 9 // 1 % classes).astype(int)), 3)
    logged = mlflow.lightgbm.log_model(
        booster,
        name="model",
        signature=infer_signature(frame, booster.predict(frame)),
        input_example=frame[:2],
        pip_requirements=REQUIREMENTS,
    )
    return publisher.register(logged.model_uri)


def explained(answer: httpx.Response) -> dict[str, Any]:
    """Return the explanations of an answer that fits its schema."""
    assert answer.status_code == 200, answer.text
    jsonschema_rs.validate(PredictResponse.model_json_schema(), answer.json())
    explanations: dict[str, Any] = answer.json()["explanations"]
    return explanations


def refused(answer: httpx.Response) -> tuple[int, str, str]:
    body = answer.json()
    return answer.status_code, body["code"], body["errors"][0]["message"] if body.get("errors") else body["detail"]


class TestExplain:
    async def test_booster(self, service: Service, publisher: Publisher) -> None:
        await promoted(service, publisher, publisher.lightgbm())
        answer = await service.predict(publisher.name, INPUTS, explain=True)
        found = explained(answer)
        assert found["columns"] == ["a", "b", "c"]
        assert (found["method"], found["unit"], found["background"], found["outputs"]) == (
            "tree_shap",
            "prediction",
            "training",
            None,
        )
        total = found["base_values"][0] + np.array(found["contributions"]).sum(axis=1)
        np.testing.assert_allclose(total, answer.json()["predictions"], rtol=1e-9)

    async def test_linear_model_behind_a_scaler(self, service: Service, publisher: Publisher) -> None:
        await promoted(service, publisher, publisher.linear(3.0))
        answer = await service.predict(publisher.name, INPUTS, explain=True)
        found = explained(answer)
        assert (found["method"], found["background"]) == ("linear_shap", "input_example")
        example = frame_of(40)[:2]
        expected = np.zeros((5, 3))
        expected[:, 0] = 3 * (FRAME["a"] - example["a"].mean())
        np.testing.assert_allclose(found["contributions"], expected, atol=1e-9)

    async def test_a_profile_of_the_training_data_is_a_better_background(
        self, service: Service, publisher: Publisher
    ) -> None:
        frame = frame_of(200)
        model = LinearRegression().fit(frame, 3 * frame["a"])
        logged = mlflow.sklearn.log_model(
            model,
            name="model",
            serialization_format="skops",
            signature=infer_signature(frame, model.predict(frame)),
            input_example=frame[:2],
            pip_requirements=REQUIREMENTS,
        )
        log_reference_profile(logged.model_uri, frame, tracking_url=publisher.registry.tracking_url)
        await promoted(service, publisher, publisher.register(logged.model_uri))
        found = explained(await service.predict(publisher.name, INPUTS, explain=True))
        assert found["background"] == "reference_profile"
        expected = np.zeros((5, 3))
        expected[:, 0] = 3 * (FRAME["a"] - frame["a"].mean())
        np.testing.assert_allclose(found["contributions"], expected, atol=0.02)

    async def test_classes_are_a_level_between_rows_and_columns(self, service: Service, publisher: Publisher) -> None:
        await promoted(service, publisher, classifier(publisher, 3))
        answer = await service.predict(publisher.name, INPUTS[:2], explain=True)
        found = explained(answer)
        assert (found["unit"], found["outputs"]) == ("margin", [0, 1, 2])
        scores = np.array(found["base_values"]) + np.array(found["contributions"]).sum(axis=2)
        odds = np.exp(scores)
        np.testing.assert_allclose(odds / odds.sum(axis=1, keepdims=True), answer.json()["predictions"])

    async def test_only_when_asked_for(self, service: Service, publisher: Publisher) -> None:
        await promoted(service, publisher, publisher.lightgbm())
        answer = await service.predict(publisher.name, INPUTS)
        assert set(answer.json()) == {"model", "version", "predictions"}


class TestRefusal:
    async def test_more_than_the_limits(self, service: Service, publisher: Publisher) -> None:
        await promoted(service, publisher, classifier(publisher, 4))
        rows = await service.predict(publisher.name, INPUTS + INPUTS, explain=True)
        columns = await service.predict(publisher.name, INPUTS, explain=True)
        assert refused(rows) == (422, "invalid_inputs", "has 10 rows; at most 5 are explained at once")
        assert refused(columns) == (
            422,
            "invalid_inputs",
            "has 3 columns for each of 4 outputs; at most 9 are explained at once",
        )

    async def test_a_kind_that_is_not_explained(self, service: Service, publisher: Publisher) -> None:
        await promoted(service, publisher, publisher.code(WITHOUT_COLUMNS))
        status, code, detail = refused(await service.predict(publisher.name, INPUTS, explain=True))
        assert (status, code) == (422, "not_explainable")
        assert "LightGBM" in detail
        assert "scikit-learn" in detail

    async def test_no_flag(self, service: Service) -> None:
        answer = await service.predict("any", INPUTS, explain="maybe")
        assert refused(answer)[:2] == (422, "unprocessable")


class TestFullQueue:
    async def test_explanations_are_turned_away_and_predictions_answered(
        self, settings_env: dict[str, str], publisher: Publisher, tmp_path: Path
    ) -> None:
        bounds = {"ML_SERVING_EXPLAIN_QUEUE_SIZE": "0", "ML_SERVING_EXPLAIN_THREADS": "1"}
        publisher.promote(publisher.lightgbm())
        async with serving(settings_env, publisher, tmp_path, **bounds) as service:
            await eventually(lambda: service.serves(publisher.name, "1", INPUTS))
            with service.serving.explanations._making:  # no explanation gets on
                both = [asyncio.create_task(service.predict(publisher.name, INPUTS, explain=True)) for _ in range(2)]
                done, waiting = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                predicted = [await service.predict(publisher.name, INPUTS) for _ in range(5)]
            [refusal, explanation] = [await done.pop(), await waiting.pop()]
        assert (refusal.status_code, refusal.json()["code"]) == (503, "overloaded")
        assert refusal.headers["Retry-After"] == "1"
        assert [answer.status_code for answer in predicted] == [200] * 5
        assert explained(explanation)["columns"] == ["a", "b", "c"]
