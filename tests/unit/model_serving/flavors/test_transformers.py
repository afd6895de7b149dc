"""Transformers: a pipeline from the registry."""

from pathlib import Path
from typing import Any

import mlflow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.model_serving.flavors.comparing import Pair, pair
from tests.unit.model_serving.pipelines import text_classifier

pytest.importorskip("transformers", reason="the extra `flavors` is not installed")

TEXTS = ["good film", "bad film"]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return save(tmp_path_factory.mktemp("pipeline") / "m")


def save(folder: Path, **options: Any) -> Pair:
    mlflow.transformers.save_model(
        text_classifier(), folder, input_example=TEXTS, pip_requirements=["mlflow"], **options
    )
    return pair(folder)


class TestEquality:
    @given(texts=st.lists(st.sampled_from(["good", "bad film", "film film film", "none"]), min_size=1, max_size=4))
    @settings(max_examples=20, deadline=None)
    def test_random_texts_are_answered_as_by_mlflow(self, loaded: Pair, texts: list[str]) -> None:
        loaded.check(texts, texts)


class TestPath:
    def test_it_is_called_past_mlflow(self, loaded: Pair) -> None:
        assert (loaded.served.report.path, loaded.served.report.flavor) == ("native", "transformers")

    def test_it_is_called_for_each_caller_alone(self, loaded: Pair) -> None:
        assert not loaded.served.row_wise
        assert "ml.row_wise: true" in loaded.served.report.row_wise_reason

    def test_its_metadata_can_say_that_rows_may_share_a_call(self, tmp_path: Path) -> None:
        served = save(tmp_path / "m", metadata={"ml.row_wise": True}).served
        assert served.row_wise, served.report.row_wise_reason
