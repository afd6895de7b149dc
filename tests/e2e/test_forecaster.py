"""From training to a served version, its successor, and back."""

import json
from collections.abc import Mapping
from uuid import uuid4

import httpx
import mlflow
import pandas as pd
import pytest

from tests.e2e.load import Load
from tests.e2e.programs import promote, promote_next, train, train_next
from tests.e2e.waiting import until

QUICK = ("--curve-type", "yield", "--model-type", "ridge", "--folds", "2")


def served_version(serving: str, model: str) -> str | None:
    """Return the version in production as serving has it; None before it has one."""
    answer = httpx.get(f"{serving}/api/v1/models/{model}")
    if answer.status_code != 200:
        return None
    return next((found["version"] for found in answer.json()["loaded"] if found["role"] == "production"), None)


@pytest.fixture(scope="module")
def model(stack_env: dict[str, str]) -> str:
    """A forecaster whose version 1 was trained, promoted and is served, before and after each test."""
    name = f"stack-{uuid4().hex[:12]}"
    trained = train(stack_env, *QUICK, "--model-name", name, "--seed", "1")
    assert trained.returncode == 0, trained.stdout + trained.stderr
    promoted = promote(stack_env, "--model", name, "--stage", "Production", "--json")
    assert promoted.returncode == 0, promoted.stdout + promoted.stderr
    until(lambda: served_version(stack_env["ML_SERVING_URL"], name) == "1", "version 1 being served")
    return name


class TestForecaster:
    """What a data scientist does in a day, on one model."""

    def test_served_swapped_under_load_and_rolled_back(self, stack_env: Mapping[str, str], model: str):
        api = f"{stack_env['ML_SERVING_URL']}/api/v1"
        example = httpx.get(f"{api}/models/{model}/versions/1/example").json()
        body = {"model": model, "inputs": example["inputs"]}

        answer = httpx.post(f"{api}/predict", json=body)
        assert answer.status_code == 200, answer.text
        assert answer.headers["X-Model-Version"] == "1"
        assert answer.json()["predictions"] == predicted_by_pyfunc(stack_env, model, example["inputs"])

        trained = train_next(stack_env, *QUICK, "--model-name", model, "--seed", "2")
        assert trained.returncode == 0, trained.stdout + trained.stderr
        with Load(f"{api}/predict", body) as load:
            until(lambda: len(load.statuses) > 20, "load")
            promoted = promote_next(
                stack_env, "--model", model, "--stage", "Production", "--reason", "second", "--json"
            )
            assert promoted.returncode == 0, promoted.stdout + promoted.stderr
            until(lambda: "2" in load.versions, "version 2 answering")
            rolled_back = promote_next(stack_env, "--model", model, "--rollback", "--json")
            assert rolled_back.returncode == 0, rolled_back.stdout + rolled_back.stderr
            swapped_back = len(load.versions)
            until(lambda: "1" in load.versions[swapped_back:], "version 1 answering again")
        assert load.errors == []
        assert set(load.statuses) == {200}

        history = promote_next(stack_env, "--model", model, "--history", "--json")
        assert history.returncode == 0, history.stderr
        assert [entry["to_version"] for entry in json.loads(history.stdout)["promotions"]] == ["1", "2", "1"]

    def test_a_history_of_the_wrong_length_is_refused(self, stack_env: Mapping[str, str], model: str):
        api = f"{stack_env['ML_SERVING_URL']}/api/v1"
        inputs = httpx.get(f"{api}/models/{model}/versions/1/example").json()["inputs"]
        short = {name: column[1:] for name, column in inputs.items()}
        answer = httpx.post(f"{api}/predict", json={"model": model, "inputs": short})
        assert answer.status_code == 422
        assert "20" in answer.text


def predicted_by_pyfunc(stack_env: Mapping[str, str], model: str, curves: dict[str, list[float | None]]) -> object:
    """Return what MLflow's own loader predicts, to the last bit."""
    mlflow.set_tracking_uri(stack_env["ML_MLFLOW_URL"])
    forecast = mlflow.pyfunc.load_model(f"models:/{model}@production").predict(pd.DataFrame(curves))
    return forecast.to_dict(orient="records")
