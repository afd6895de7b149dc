"""A run as somebody with judged queries makes it, against a running MLflow."""

import json
from types import SimpleNamespace

import pytest
from mlflow import MlflowClient
from program import main
from sentence_transformers import SentenceTransformer

from mlplatform.auth.system_user import system_user
from mlplatform.embedders.artifacts import MODEL_FOLDER
from services.embedding import registration
from tests.integration.text_embedder.judgements import write_collection

LEARN = ["--epochs", "12", "--learning-rate", "2e-3", "--batch-size", "8"]
STAND_STILL = ["--learning-rate", "1e-8"]


@pytest.fixture
def given(embedders, stack_env, tmp_path, monkeypatch, unique):
    """A registered model, a collection, and options that keep a run apart from others."""
    monkeypatch.setenv("ML_MLFLOW_URL", stack_env["ML_MLFLOW_URL"])
    monkeypatch.setenv("ML_SEARCH_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("ML_HOME", str(tmp_path / "home"))
    name = registration.MODEL
    options = [str(write_collection(tmp_path / "things")), "--model", name, "--experiment", unique, "--json"]
    client = MlflowClient(stack_env["ML_MLFLOW_URL"], stack_env["ML_MLFLOW_URL"])
    return SimpleNamespace(options=options, name=name, registry=embedders.registry, client=client, experiment=unique)


def versions_of(given):
    return [version.version for version in given.registry.list_versions(given.name)[0]]


def run_of(given):
    (run,) = given.client.search_runs([given.client.get_experiment_by_name(given.experiment).experiment_id])
    return run


class TestFineTuning:
    def test_a_better_model_is_registered_with_its_run(self, given, capsys, tmp_path):
        assert main([*given.options, *LEARN]) == 0

        output = capsys.readouterr()
        summary = json.loads(output.out)
        assert summary["verdict"] == "better"
        assert summary["metrics"]["ndcg_at_10"] > summary["metrics"]["before.ndcg_at_10"] + 0.2
        assert summary["params"]["negatives_from"] == "model"
        assert summary["registered"]["version"] == "3"
        assert f"promote_model.py --model {given.name} --version 3 --stage Production" in output.err
        version = given.registry.get_version(given.name, "3")
        run = run_of(given)
        assert version.run_id == run.info.run_id
        assert given.registry.authors(version) == {system_user()}
        assert given.registry.metrics(version)["ndcg_at_10"] == pytest.approx(summary["metrics"]["ndcg_at_10"])
        assert run.data.params["start"] == f"{given.name}:1"
        assert len(given.client.get_metric_history(run.info.run_id, "loss")) == int(run.data.params["steps"])
        plots = given.client.list_artifacts(run.info.run_id, "plots")
        assert {plot.path for plot in plots} == {"plots/quality.png", "plots/loss.png"}
        folder = given.registry.download(given.name, "3", tmp_path / "cache")
        loaded = SentenceTransformer(str(folder / MODEL_FOLDER), device="cpu", local_files_only=True)
        assert loaded.max_seq_length == 64

    def test_one_that_is_no_better_is_not(self, given, capsys):
        assert main([*given.options, *STAND_STILL]) == 3

        output = capsys.readouterr()
        assert "--register-anyway" in output.err
        assert json.loads(output.out)["registered"] is None
        assert versions_of(given) == ["2", "1"]
        assert run_of(given).data.metrics["gain.ndcg_at_10"] == pytest.approx(0, abs=0.05)

    def test_unless_it_is_wanted_anyway(self, given, capsys):
        assert main([*given.options, *STAND_STILL, "--version", "2", "--register-anyway"]) == 0

        assert json.loads(capsys.readouterr().out)["registered"]["version"] == "3"
        assert run_of(given).data.params["start"] == f"{given.name}:2"

    def test_a_dry_run_leaves_nothing(self, given, capsys):
        assert main([*given.options, *STAND_STILL, "--dry-run", "--negatives", "0"]) == 3

        assert json.loads(capsys.readouterr().out)["run_url"] is None
        assert given.client.get_experiment_by_name(given.experiment) is None
        assert versions_of(given) == ["2", "1"]

    def test_an_index_that_is_named_must_be_there(self, given, capsys):
        assert main([*given.options, "--entity-type", "things"]) == 1

        assert "does not answer" in capsys.readouterr().err
        assert versions_of(given) == ["2", "1"]

    def test_a_name_of_a_re_ranker_is_refused_before_any_work(self, given, rerankers, capsys):
        rerankers.add(1)

        assert main([*given.options, "--model-name", rerankers.name]) == 1

        assert "is the name of a text-reranker" in capsys.readouterr().err
        assert given.client.get_experiment_by_name(given.experiment) is None

    def test_a_model_that_is_not_registered(self, given, capsys):
        assert main([*given.options, "--model", f"{given.name}-other"]) == 2

        assert "register-embedder" in capsys.readouterr().err
