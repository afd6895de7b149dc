"""scripts/promote_model.py as people run it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.models import infer_signature

from mlplatform.registry.register import register_model_version
from tests.integration.registry.programs import promote
from tests.integration.registry.test_registry import NOBODY

MODEL_CODE = """
import mlflow
import pandas as pd
class Double(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input: pd.DataFrame, params=None):
        return model_input["x"].to_numpy() * 2
mlflow.models.set_model(Double())
"""


@contextmanager
def tracking_at(url: str) -> Iterator[None]:
    """Have MLflow's own functions use a server for a while."""
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(url)
    yield
    mlflow.set_tracking_uri(before)


@pytest.mark.usefixtures("environment")
class TestPromoteModel:
    def test_a_model_that_model_serving_can_load(self, bench, environment, tmp_path, stack_env):
        environment.delenv("ML_SERVABILITY_COMMAND")
        environment.setenv("ML_HOME", str(tmp_path / "home"))
        code = tmp_path / "double.py"
        code.write_text(MODEL_CODE)
        example = pd.DataFrame({"x": [1.0, 2.0]})
        with tracking_at(stack_env["ML_MLFLOW_URL"]), mlflow.start_run(experiment_id=bench.experiment):
            logged = mlflow.pyfunc.log_model(
                name="model",
                python_model=str(code),
                signature=infer_signature(example, np.array([2.0, 4.0])),
                input_example=example,
                pip_requirements=[],
            )
        register_model_version(bench.registry, bench.name, logged.model_uri)
        done = promote("--model", bench.name, "--stage", "Production", "--actor", "ada")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "servability: passed: Loaded and scored its input example" in done.stdout
        assert f"{bench.name} version 1 is in Production (none → 1). Promotion 1." in done.stdout
        assert f"/api/v1/models/{bench.name}/versions/1/example" in done.stdout

    def test_redis_that_is_down_delays_the_event_only(self, bench, environment, rows):
        bench.version()
        environment.setenv("ML_REDIS_URL", "redis://127.0.0.1:9/0")
        environment.setenv("ML_DEPENDENCY_TIMEOUT", "500ms")
        done = promote("--model", bench.name, "--stage", "Production", "--actor", "ada", "--json")
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        assert (answer["changed"], answer["published"]) == (True, False)
        (waiting,) = rows("outbox")
        assert waiting["published_at"] is None

    def test_a_failed_gate(self, bench):
        bench.version(example=False)
        failed = promote("--model", bench.name, "--stage", "Production", "--json")
        assert failed.returncode == 2
        answer = json.loads(failed.stdout)
        assert answer["error"] == "gate_blocked"
        assert [finding["status"] for finding in answer["gates"]["findings"]][1] == "failed"

    def test_a_failed_precondition(self, bench):
        bench.version()
        failed = promote("--model", bench.name, "--stage", "Production", "--expect-current", "4")
        assert failed.returncode == 3
        assert "is none, not 4" in failed.stderr

    def test_a_registry_that_does_not_answer(self, environment, unique):
        environment.setenv("ML_MLFLOW_URL", NOBODY)
        failed = promote("--model", unique, "--stage", "Production")
        assert failed.returncode == 5
        assert "verify --repair" in failed.stderr

    def test_usage(self):
        assert promote("--model", "m", "--stage", "Nowhere").returncode == 64
