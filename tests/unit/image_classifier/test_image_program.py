"""Runs from the command line."""

import json

import pytest
from image_program import main


@pytest.fixture(autouse=True)
def no_server(monkeypatch):
    monkeypatch.setenv("ML_MLFLOW_URL", "http://127.0.0.1:1")


class TestMain:
    def test_usage(self, capsys):
        assert main(["--size", "9"]) == 64
        assert "--size" in capsys.readouterr().err

    def test_no_mlflow(self, capsys):
        assert main([]) == 5
        assert "MLflow" in capsys.readouterr().err

    def test_a_folder_without_images(self, tmp_path, capsys):
        assert main(["--folder", str(tmp_path), "--dry-run"]) == 2
        assert "one folder for each class" in capsys.readouterr().err

    def test_the_same_seed_gives_the_same_metrics(self, capsys):
        found = []
        for _ in range(2):
            assert main(["--epochs", "2", "--dry-run", "--json"]) == 0
            found.append(json.loads(capsys.readouterr().out)["metrics"])
        assert found[0] == found[1]
        assert found[0]["accuracy"] > 0.8
