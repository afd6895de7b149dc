"""When a model is called past MLflow, and when its rows may share a call, with the reasons."""

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from mlflow.models import infer_signature
from sklearn.linear_model import LinearRegression

from services.model_serving.engine.loaded_model import LoadedModel
from tests.unit.model_serving.saved import FRAME, OPTIONS, load, save_code, save_sklearn

LINE = LinearRegression().fit(FRAME, FRAME["a"])
SCRIPT = """
    import mlflow

    class Sum(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return {answer}

    mlflow.models.set_model(Sum())
"""


def code(folder: Path, answer: str = "model_input.sum(axis=1).to_numpy()", **metadata: Any) -> LoadedModel:
    saved = save_code(folder, SCRIPT.format(answer=answer))
    if metadata:
        model = mlflow.models.Model.load(str(saved))
        model.metadata = metadata
        model.save(str(saved / "MLmodel"))
    return load(saved)


class TestPath:
    def test_a_model_without_an_example_goes_through_mlflow(self, tmp_path: Path) -> None:
        report = load(save_sklearn(tmp_path / "m", LINE, input_example=None)).report
        assert (report.path, report.flavor) == ("pyfunc", "sklearn")
        assert "without an input example" in report.path_reason

    def test_a_model_of_python_code_goes_through_mlflow_and_is_called_once(self, tmp_path: Path) -> None:
        report = code(tmp_path / "m").report
        assert (report.path, report.flavor) == ("pyfunc", "pyfunc")
        assert "no other way" in report.path_reason

    def test_a_model_with_parameters_is_called_for_each_caller_alone(self, tmp_path: Path) -> None:
        signature = infer_signature(FRAME, np.zeros(2), params={"cut": 0.5})
        mlflow.sklearn.save_model(LINE, tmp_path / "m", serialization_format="skops", signature=signature, **OPTIONS)
        model = load(tmp_path / "m")
        assert not model.row_wise
        assert "parameters" in model.report.row_wise_reason
        np.testing.assert_array_equal(model.score(FRAME.to_dict("list"), {"cut": 1.0}), LINE.predict(FRAME))

    def test_the_reason_names_what_was_compared(self, tmp_path: Path) -> None:
        reason = load(save_sklearn(tmp_path / "m", LINE)).report.path_reason
        for what in ("one row", "several rows", "nulls", "whole numbers", "reordered columns"):
            assert what in reason


class TestRowWise:
    def test_code_does_not_share_calls_by_itself(self, tmp_path: Path) -> None:
        model = code(tmp_path / "m")
        assert not model.row_wise
        assert "ml.row_wise: true" in model.report.row_wise_reason

    def test_code_that_declares_it_does(self, tmp_path: Path) -> None:
        assert code(tmp_path / "m", **{"ml.row_wise": True}).row_wise

    @pytest.mark.parametrize("answer", ["model_input.sum(axis=1).cumsum().to_numpy()", "model_input.sum().to_numpy()"])
    def test_a_false_declaration_is_found_out(self, tmp_path: Path, answer: str) -> None:
        model = code(tmp_path / "m", answer, **{"ml.row_wise": True})
        assert not model.row_wise

    def test_a_library_model_can_declare_that_it_does_not(self, tmp_path: Path) -> None:
        model = load(save_sklearn(tmp_path / "m", LINE, metadata={"ml.row_wise": False}))
        assert not model.row_wise
        assert "metadata says so" in model.report.row_wise_reason

    def test_a_history_is_never_joined(self, tmp_path: Path) -> None:
        model = load(save_sklearn(tmp_path / "m", LINE, metadata={"ml.input_rows": 2}))
        assert (model.row_wise, model.input_rows) == (False, 2)
