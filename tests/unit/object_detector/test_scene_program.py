"""Runs from the command line."""

import json

import pytest
from scene_program import main


@pytest.fixture(autouse=True)
def no_server(monkeypatch):
    monkeypatch.setenv("ML_MLFLOW_URL", "http://127.0.0.1:1")


class TestMain:
    def test_usage(self, capsys):
        assert main(["--scenes", "3"]) == 64
        assert "--scenes" in capsys.readouterr().err

    def test_no_mlflow(self, capsys):
        assert main([]) == 5
        assert "MLflow" in capsys.readouterr().err

    def test_it_learns_to_find_objects(self, capsys):
        options = ["--scenes", "240", "--size", "64", "--epochs", "12", "--dry-run", "--json"]
        assert main(options) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["metrics"]["map_50"] > 0.15  # 0.001 after one epoch; recall at a confidence hangs on few scenes
        assert found["registered"] is None
        assert [row["label"] for row in found["classes"]] == ["circle", "square", "triangle"]
