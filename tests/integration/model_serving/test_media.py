"""A model of images over HTTP: no protocol has the service open what a caller names."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import mlflow
import pytest

from tests.integration.model_serving.publisher import REQUIREMENTS, Publisher
from tests.integration.model_serving.running import Service, eventually, serving
from tests.unit.model_serving.pipelines import image_classifier
from tests.unit.model_serving.temptation import encoded, listening, picture

pytest.importorskip("transformers", reason="the extra `flavors` is not installed")

SENT = encoded(picture())


@pytest.fixture
async def service(settings_env: dict[str, str], publisher: Publisher, tmp_path: Path) -> AsyncIterator[Service]:
    logged = mlflow.transformers.log_model(
        image_classifier(), name="model", input_example=[SENT], pip_requirements=REQUIREMENTS
    )
    publisher.promote(publisher.register(logged.model_uri))
    async with serving(settings_env, publisher, tmp_path) as running:
        await eventually(lambda: running.serves(publisher.name, "1", [SENT]))
        yield running


def bodies(model: str, value: str) -> list[tuple[str, dict[str, Any], int]]:
    """Return path, body and the status of a refusal for every way to send one value."""
    scoring, tensor = f"/models/{model}/invocations", {"name": "image", "shape": [1], "datatype": "BYTES"}
    return [
        ("/api/v1/predict", {"model": model, "inputs": [value]}, 422),
        ("/api/v1/predict", {"model": model, "inputs": [[value]]}, 422),
        (scoring, {"inputs": [value]}, 400),
        (scoring, {"instances": [value]}, 400),
        (scoring, {"dataframe_split": {"columns": [0], "data": [[value]]}}, 400),
        (scoring, {"dataframe_records": [{"0": value}]}, 400),
        (f"/v2/models/{model}/infer", {"inputs": [{**tensor, "data": [value]}]}, 400),
    ]


async def test_no_protocol_opens_what_is_named(service: Service, publisher: Publisher, tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(picture())
    answered = 0
    with listening() as listener:
        for named in (listener.url, str(secret)):
            for path, body, status in bodies(publisher.name, named):
                answer = await service.client.post(path, json=body)
                assert answer.status_code == status, (path, body, answer.text)
    assert not listener.asked
    for path, body, _ in bodies(publisher.name, SENT):
        answered += (await service.client.post(path, json=body)).status_code == 200
    assert answered >= 5
    answer = await service.predict(publisher.name, [str(secret)])
    assert answer.json()["code"] == "inputs_refused"
    assert "read the file yourself" in answer.json()["detail"]
