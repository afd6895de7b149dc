"""A first look at cross-encoders."""

import json
from pathlib import Path

import pytest

from mlplatform.embedders.errors import EmbedderError
from mlplatform.rerankers.loading import check, load
from tests.integration.embedding.cross_encoders import resave, write_cross_encoder

PAIRS = [("query", "text"), ("query", "other text")]


class TestLoad:
    def test_both_layouts_give_the_same_logits(self, tmp_path: Path) -> None:
        old = write_cross_encoder(tmp_path / "old", seed=1)
        new = resave(old, tmp_path / "new")

        found = [load(folder, "cpu").predict(PAIRS, show_progress_bar=False).tolist() for folder in (old, new)]

        assert found[0] == pytest.approx(found[1])

    def test_the_function_that_it_names_is_not_called(self, tmp_path: Path) -> None:
        folder = resave(write_cross_encoder(tmp_path / "old", seed=1), tmp_path / "new")
        plain = load(folder, "cpu").predict(PAIRS, show_progress_bar=False).tolist()
        path = folder / "config_sentence_transformers.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"activation_fn": "torch.seed"}))

        assert load(folder, "cpu").predict(PAIRS, show_progress_bar=False).tolist() == plain

    def test_one_that_classifies_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(EmbedderError, match="3 scores"):
            load(write_cross_encoder(tmp_path, seed=1, labels=3), "cpu")


class TestCheck:
    def test_a_model_is_taken(self, tmp_path: Path) -> None:
        check(write_cross_encoder(tmp_path, seed=1))

    def test_a_folder_that_is_none_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "config.json").write_text("{}")

        with pytest.raises(EmbedderError, match="does not load"):
            check(tmp_path)
