"""What `mlp models register-classifier` refuses, before it asks for a registry."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mlplatform.classifiers.task import Task
from mlplatform.cli.app import app
from tests.unit.classifiers.saved import save

pytest.importorskip("transformers", reason="the extra `flavors` is not installed")


def refusal(source: object, task: str) -> tuple[int, str]:
    """Run the command; return its exit status and what it says."""
    done = CliRunner().invoke(app, ["models", "register-classifier", str(source), "--task", task, "--name", "topics"])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, " ".join(done.stderr.split())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save(Task.TEXTS, tmp_path / "model")


class TestRegisterClassifier:
    def test_pickled_weights(self, folder: Path) -> None:
        (folder / "model.safetensors").rename(folder / "pytorch_model.bin")

        status, said = refusal(folder, Task.TEXTS)

        assert status == 1
        assert f"{folder} cannot be registered: pytorch_model.bin may run code" in said

    def test_code_of_its_own(self, folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModel": "modeling.Model"}}))

        status, said = refusal(folder, Task.TEXTS)

        assert (status, "config.json names code of the model's own" in said) == (1, True), said

    def test_another_task(self, folder: Path) -> None:
        status, said = refusal(folder, Task.IMAGES)

        assert (status, "pass --task text-classification" in said) == (1, True), said

    def test_no_such_folder(self, tmp_path: Path) -> None:
        status, said = refusal(tmp_path / "nothing", Task.TEXTS)

        assert (status, "neither a folder nor an id of a hub" in said) == (1, True), said

    def test_no_such_task(self, folder: Path) -> None:
        status, said = refusal(folder, "translation")

        assert (status, all(task in said for task in Task)) == (2, True), said
