"""A first look at classifiers."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from mlplatform.classifiers.folder import check_folder
from mlplatform.classifiers.loading import check, load
from mlplatform.classifiers.task import Task
from mlplatform.embedders.errors import EmbedderError
from tests.unit.classifiers.saved import LABELS, save


def look_at(folder: Path, task: Task = Task.TEXTS) -> None:
    """Look at a folder as a registration does."""
    check_folder(folder, task)
    check(load(folder, task), task)


def change(path: Path, **values: Any) -> None:
    """Change values of a configuration."""
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


class TestLoad:
    @pytest.mark.parametrize("task", list(Task))
    def test_a_saved_model_is_loaded_and_answers(self, tmp_path: Path, task: Task) -> None:
        look_at(save(task, tmp_path), task)

        loaded = load(tmp_path, task)
        assert (loaded.task, [*loaded.model.config.id2label.values()]) == (task, LABELS[task])

    def test_half_precision_is_computed_in_whole(self, tmp_path: Path) -> None:
        save(Task.TEXTS, tmp_path)
        change(tmp_path / "config.json", dtype="float16")
        weights = load_file(tmp_path / "model.safetensors")
        halves = {name: value.half() for name, value in weights.items()}
        save_file(halves, tmp_path / "model.safetensors", metadata={"format": "pt"})

        assert load(tmp_path, Task.TEXTS).model.dtype == torch.float32

    def test_weights_that_lack_are_not_made_up(self, tmp_path: Path) -> None:
        save(Task.TEXTS, tmp_path)
        weights = load_file(tmp_path / "model.safetensors")
        weights.pop("classifier.weight")
        save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})

        with pytest.raises(EmbedderError, match=r"lack classifier\.weight"):
            look_at(tmp_path)

    def test_weights_of_another_number_of_classes(self, tmp_path: Path) -> None:
        save(Task.TEXTS, tmp_path)
        change(tmp_path / "config.json", id2label={"0": "a", "1": "b", "2": "c"})

        with pytest.raises(EmbedderError, match="does not load"):
            look_at(tmp_path)

    @pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
    def test_a_file_that_is_damaged(self, tmp_path: Path, name: str) -> None:
        save(Task.TEXTS, tmp_path)
        (tmp_path / name).write_bytes(b"{ damaged")

        with pytest.raises(EmbedderError, match="does not load"):
            look_at(tmp_path)


class TestCheck:
    def test_texts_must_be_answered_together(self, tmp_path: Path) -> None:
        save(Task.TEXTS, tmp_path)
        change(tmp_path / "tokenizer_config.json", pad_token=None)

        with pytest.raises(EmbedderError, match="does not answer"):
            look_at(tmp_path)

    def test_scores_that_are_no_numbers(self, tmp_path: Path) -> None:
        save(Task.IMAGES, tmp_path)
        weights = load_file(tmp_path / "model.safetensors")
        weights["classifier.bias"].fill_(torch.nan)
        save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})

        with pytest.raises(EmbedderError, match="no numbers"):
            look_at(tmp_path, Task.IMAGES)
