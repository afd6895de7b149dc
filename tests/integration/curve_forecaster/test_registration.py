"""A run as a data scientist makes it, against a running MLflow."""

import json
from pathlib import Path
from types import SimpleNamespace

import mlflow
import numpy as np
import pandas as pd
import pytest
from curves import YIELD
from forecaster import CurveModel
from mlflow import MlflowClient
from simulate import simulate
from train import main

from mlplatform.monitoring.storage import read_profile
from mlplatform.registry.digest import artifact_digest
from mlplatform.registry.registry import Registry

SMALL = ["--curve-type", "yield", "--lookback", "10", "--horizons", "1,5", "--folds", "2"]


@pytest.fixture
def server(stack_env, monkeypatch, unique):
    """The running MLflow, and options that keep a run apart from others."""
    url = stack_env["ML_MLFLOW_URL"]
    monkeypatch.setenv("ML_MLFLOW_URL", url)
    options = [*SMALL, "--experiment", unique, "--model-name", unique]
    return SimpleNamespace(client=MlflowClient(url, url), registry=Registry(url), name=unique, options=options)


@pytest.fixture
def late_file(tmp_path):
    """Curves of which one tenor began late; on these, every learner gets weight in the ensemble."""
    frame = simulate(YIELD, 200, seed=5)
    frame.iloc[:50, 3] = np.nan
    path = tmp_path / "curves.csv"
    frame.to_csv(path)
    return path


def runs_of(server):
    experiment = server.client.get_experiment_by_name(server.name)
    return server.client.search_runs([experiment.experiment_id]) if experiment else []


def check_version(server, version, summary, folder):
    gates = {"rmse": {"greater_is_better": False, "threshold": None, "max_relative_degradation": 0.02}}
    assert json.loads(version.tags["ml.gate.metrics"]) == gates
    assert len(version.tags["ml.eval.digest"]) == 64
    assert version.tags["ml.row_wise"] == "false"
    assert version.tags["ml.input_rows"] == "10"
    assert (version.tags["curve_type"], version.tags["model_type"]) == ("yield", "ensemble")
    assert version.run_id == summary["run_id"]
    folder.mkdir()
    server.registry.copy_artifacts(version, folder)
    assert version.digest == artifact_digest(folder) == summary["registered"]["digest"]
    pinned = (folder / "requirements.txt").read_text().split()
    assert [line.partition("==")[0] for line in pinned] == ["mlflow", "numpy", "pandas"]
    profile = read_profile(server.registry, version, folder)
    assert set(profile.inputs) == set(YIELD.tenors)
    assert set(profile.predictions) == {"horizon_days", *YIELD.tenors}


def check_run(server, version, summary):
    run = server.client.get_run(version.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["rmse"] == summary["metrics"]["rmse"]
    assert run.data.params["data.leading_blanks"] == "4 Mo: 50"
    assert run.data.params["hyper.ridge_alpha"] == "1000.0"
    shares = [float(value) for name, value in run.data.params.items() if name.startswith("weight.")]
    assert sum(shares) == pytest.approx(1, abs=1e-5)
    assert {"git.commit", "git.dirty", "user"} < set(run.data.tags)
    assert [entry.step for entry in server.client.get_metric_history(version.run_id, "fold/rmse")] == [1, 2]
    (logged,) = run.inputs.dataset_inputs
    assert logged.dataset.name == "curves.csv"
    assert run.data.params["data.digest"].startswith(logged.dataset.digest)
    stored = {Path(entry.path).name for entry in server.client.list_artifacts(version.run_id, "evaluation")}
    assert len(stored) == 8
    assert {"skill_by_horizon.png", "skill_by_horizon.csv"} < stored


def check_forecast(folder):
    served = mlflow.pyfunc.load_model(str(folder))
    example = pd.DataFrame(**json.loads((folder / "input_example.json").read_text()))
    assert served.metadata.signature.inputs.input_names() == list(YIELD.tenors)
    assert served.metadata.signature.outputs.input_names() == ["horizon_days", *YIELD.tenors]
    example.loc[2, "4 Mo"] = np.nan
    answer = served.predict(example)
    in_memory = CurveModel.load(folder / "artifacts" / "parameters").forecast(example.to_numpy()[None])[0]
    assert answer["horizon_days"].tolist() == [1, 5]
    assert np.array_equal(answer[list(YIELD.tenors)].to_numpy(), in_memory)
    with pytest.raises(ValueError, match="expected 10 rows"):
        served.predict(example.iloc[1:])


class TestRegister:
    def test_everything_is_logged_and_the_served_model_forecasts_the_same(self, server, late_file, tmp_path, capsys):
        assert main([*server.options, "--model-type", "ensemble", "--data", str(late_file), "--json"]) == 0
        summary = json.loads(capsys.readouterr().out)
        version = server.registry.get_version(server.name, summary["registered"]["version"])
        assert min(summary["weights"][name] for name in ("ridge", "lightgbm", "random_forest")) > 0
        check_version(server, version, summary, tmp_path / "model")
        check_run(server, version, summary)
        check_forecast(tmp_path / "model")

    def test_same_data_same_evaluation_digest(self, server, late_file):
        for model_type in ("ridge", "random_forest"):
            assert main([*server.options, "--model-type", model_type, "--data", str(late_file)]) == 0
        first, second = (server.registry.get_version(server.name, number) for number in ("1", "2"))
        assert first.tags["ml.eval.digest"] == second.tags["ml.eval.digest"]
        assert first.digest != second.digest

    def test_trials_are_child_runs(self, server):
        assert main([*server.options, "--model-type", "ridge", "--rows", "400", "--tune", "2"]) == 0
        version = server.registry.get_version(server.name, "1")
        children = [run for run in runs_of(server) if run.data.tags.get("mlflow.parentRunId") == version.run_id]
        assert sorted(run.info.run_name for run in children) == ["trial-0", "trial-1"]
        best = min(children, key=lambda run: run.data.metrics["inner_rmse"])
        parent = server.client.get_run(version.run_id)
        assert parent.data.params["hyper.ridge_alpha"] == best.data.params["ridge_alpha"]

    def test_who_trains_is_known_in_a_container_whose_user_has_no_name(self, server, unnamed_user):
        assert main([*server.options, "--model-type", "ridge", "--rows", "200"]) == 0
        version = server.registry.get_version(server.name, "1")
        assert server.client.get_run(version.run_id).data.tags["user"] == f"uid {unnamed_user}"
        assert server.registry.authors(version) == {f"uid {unnamed_user}"}


class TestRefuse:
    def test_bad_data_leaves_nothing(self, server, tmp_path, capsys):
        path = tmp_path / "curves.csv"
        path.write_text("Date,1 Mo\n2024-01-02,5.1\n2024-01-03,oops\n")
        assert main([*server.options, "--model-type", "ridge", "--data", str(path)]) == 2
        assert f"{path}, row 3, column '1 Mo': 'oops' is not a number" in capsys.readouterr().err
        assert runs_of(server) == []
        assert server.name not in [model.name for model in server.registry.all_models()]

    def test_dry_run_leaves_nothing(self, server):
        assert main([*server.options, "--model-type", "ridge", "--rows", "200", "--dry-run"]) == 0
        assert runs_of(server) == []

    def test_deleted_experiment(self, server, capsys):
        server.client.delete_experiment(server.client.create_experiment(server.name))
        assert main([*server.options, "--model-type", "ridge", "--rows", "200"]) == 1
        assert f"Experiment '{server.name}' is deleted" in capsys.readouterr().err
