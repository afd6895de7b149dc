"""Runs from the command line that end before there is anything to train."""

import pytest
from program import main


@pytest.fixture(autouse=True)
def no_server(monkeypatch):
    monkeypatch.setenv("ML_MLFLOW_URL", "http://127.0.0.1:1")


class TestMain:
    def test_usage(self, capsys):
        assert main([]) == 64
        assert "DIR" in capsys.readouterr().err

    def test_a_folder_without_a_collection(self, tmp_path, capsys):
        assert main([str(tmp_path)]) == 2
        assert "corpus.jsonl" in capsys.readouterr().err

    def test_no_mlflow(self, write_collection, capsys):
        queries = {f"q{number}": f"question {number}" for number in range(40)}
        folder = write_collection({"d": "text"}, queries, test={key: ["d"] for key in queries})

        assert main([str(folder)]) == 5
        assert "MLflow" in capsys.readouterr().err
