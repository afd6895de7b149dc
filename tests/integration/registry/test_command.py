"""scripts/promote_model.py as people run it."""

import json
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.models import infer_signature

from mlplatform.auth import Role, mint_token
from mlplatform.auth.system_user import system_user
from mlplatform.registry.register import register_model_version
from mlplatform.settings import PlatformSettings
from tests.integration.registry.programs import promote
from tests.integration.registry.test_registry import NOBODY
from tests.unit.registry.test_served import answering, state

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


def token_of(subject: str) -> str:
    """Make the token of an administrator."""
    settings = PlatformSettings(jwt_secret=os.environ["ML_JWT_SECRET"])
    roles = [Role.ML_ADMIN]
    return mint_token(settings, subject=subject, tenant="default", roles=roles, ttl=timedelta(minutes=10))


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

    def test_a_missing_approval_names_the_command_that_gives_it(self, bench, environment, rows):
        environment.setenv("ML_PROMOTION_REQUIRE_APPROVAL", "true")
        version = bench.version()
        wanted = ("--model", bench.name, "--stage", "Production")
        missing = promote(*wanted)
        assert missing.returncode == 4
        line = missing.stderr.rstrip().rpartition("python scripts/promote_model.py ")[2]
        own = promote(*shlex.split(line))
        assert own.returncode == 0, own.stderr
        assert promote(*wanted).returncode == 4
        environment.setenv("ML_TOKEN", token_of("eve"))
        approved = promote(*shlex.split(line), "--reason", "read the report")
        assert approved.returncode == 0, approved.stderr
        assert f"eve has approved {bench.name} version 1 for Production" in approved.stdout
        environment.delenv("ML_TOKEN")
        done = promote(*wanted)
        assert done.returncode == 0, done.stderr
        history = promote("--model", bench.name, "--history")
        assert f"{system_user()} (OS user)" in history.stdout
        assert "eve (token)" in history.stdout
        assert rows("promotion_approvals")[-1]["artifact_digest"] == version.digest

    def test_a_token_that_proves_nobody(self, bench, environment):
        environment.setenv("ML_TOKEN", "no.such.token")
        failed = promote("--model", bench.name, "--rollback")
        assert failed.returncode == 3
        assert "ML_TOKEN proves nobody" in failed.stderr

    def test_a_dry_run_says_how_it_would_end_and_writes_the_report(self, bench, tmp_path, rows):
        bench.version()
        page, document = tmp_path / "report.html", tmp_path / "report.json"
        dry = promote("--model", bench.name, "--stage", "Production", "--dry-run", "--report", str(page))
        assert dry.returncode == 0, dry.stderr
        assert "would go ahead. Nothing was changed" in dry.stdout
        assert b"Every gate is passed" in page.read_bytes()
        bench.version(example=False)
        dry = promote("--model", bench.name, "--stage", "Production", "--dry-run", "--report", str(document))
        assert dry.returncode == 2
        assert json.loads(document.read_bytes())["passed"] is False
        assert bench.aliases() == {}
        assert rows("model_promotions") == rows("audit_events") == []

    def test_the_report_lies_beside_the_run(self, bench):
        version = bench.version()
        done = promote("--model", bench.name, "--stage", "Production", "--json")
        assert json.loads(done.stdout)["logged"] is True
        found = [file.path for file in bench.client.list_artifacts(version.run_id, "promotions/1")]
        assert "promotions/1/report.html" in found
        assert "promotions/1/report.json" in found

    def test_what_is_held_is_not_deleted(self, bench):
        bench.version()
        bench.version()
        assert promote("--model", bench.name, "--stage", "Staging", "--version", "1").returncode == 0
        refused = promote("--model", bench.name, "--delete", "--version", "1")
        assert refused.returncode == 3
        assert "the alias @staging points to it" in refused.stderr
        deleted = promote("--model", bench.name, "--delete", "--version", "2")
        assert deleted.returncode == 0, deleted.stderr
        assert not bench.registry.has_version(bench.name, "2")

    def test_serving_that_does_not_answer_is_said(self, bench, environment):
        environment.setenv("ML_SERVING_URL", NOBODY)
        environment.setenv("ML_PROMOTION_SERVED_TIMEOUT", "200ms")
        bench.version()
        done = promote("--model", bench.name, "--stage", "Production", "--wait-served")
        assert done.returncode == 6
        assert bench.aliases() == {"production": "1"}
        assert "Serving does not answer with it: serving does not answer at" in done.stdout

    def test_it_is_said_how_many_replicas_of_serving_answer(self, bench, environment):
        bench.version()
        with answering(state("1")) as one, answering(state("1")) as other:
            environment.setenv("ML_SERVING_URL", one)
            alone = promote("--model", bench.name, "--stage", "Production", "--wait-served")
            environment.setenv("ML_PROMOTION_SERVED_URLS", f"{one},{other}")
            both = promote("--model", bench.name, "--stage", "Production", "--wait-served")
        assert (alone.returncode, both.returncode) == (0, 0)
        assert "The one replica of serving that was asked answers with it, " in alone.stdout
        assert "All 2 replicas of serving answer with it." in both.stdout

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
