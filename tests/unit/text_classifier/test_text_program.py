"""Runs from the command line that end before there is anything to embed."""

import pytest
from text_program import main


@pytest.fixture(autouse=True)
def no_server(monkeypatch):
    monkeypatch.setenv("ML_MLFLOW_URL", "http://127.0.0.1:1")


@pytest.fixture
def texts(tmp_path):
    path = tmp_path / "texts.csv"
    rows = [f"{label} {number},{label}" for label in ("good", "bad") for number in range(8)]
    path.write_text("\n".join(["text,label", *rows]))
    return path


class TestMain:
    def test_usage(self, capsys):
        assert main([]) == 64
        assert "FILE" in capsys.readouterr().err

    def test_one_class(self, tmp_path, capsys):
        path = tmp_path / "texts.csv"
        path.write_text("text,label\none,a\ntwo,a\n")
        assert main([str(path), "--dry-run"]) == 2
        assert "only one class" in capsys.readouterr().err

    def test_no_mlflow(self, texts, capsys):
        assert main([str(texts)]) == 5
        assert "MLflow" in capsys.readouterr().err

    def test_an_encoder_with_code(self, texts, tmp_path, capsys):
        folder = tmp_path / "encoder"
        folder.mkdir()
        (folder / "modeling.py").write_text("raise SystemExit(1)")
        assert main([str(texts), "--dry-run", "--encoder", str(folder)]) == 2
        assert "no encoder that can be used" in capsys.readouterr().err
