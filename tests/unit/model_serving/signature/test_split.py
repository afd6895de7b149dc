"""Rows whose columns are named once."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.types.schema import ColSpec, TensorSpec

from services.model_serving.errors import InvalidInputs
from services.model_serving.signature import MLFLOW, MLFLOW_COMPAT, STRICT, ReadPolicy, Signature
from tests.unit.model_serving.signatures import MAX_ROWS, by_field, signature_of

DOUBLES = signature_of(ColSpec("double", "a"), ColSpec("double", "b"))
MIXED = signature_of(ColSpec("long", "count"), ColSpec("string", "word"), ColSpec("double", "price", required=False))


def faults(
    signature: Signature, columns: list[Any] | None, rows: list[list[Any]], policy: ReadPolicy = STRICT
) -> dict[str, str]:
    with pytest.raises(InvalidInputs) as caught:
        signature.inputs.read_split(columns, rows, policy)
    return by_field(caught.value.errors)


class TestRows:
    @pytest.mark.parametrize(
        ("columns", "rows"),
        [(["a", "b"], [[1.5, 2], [3.5, None]]), (["b", "a"], [[2, 1.5], [None, 3.5]]), (None, [[1.5, 2], [3.5, None]])],
        ids=["in order", "in another order", "without names"],
    )
    def test_they_come_in_the_order_of_the_signature(self, columns: list[str] | None, rows: list[list[Any]]) -> None:
        given = DOUBLES.inputs.read_split(columns, rows)
        np.testing.assert_array_equal(given.matrix, [[1.5, 2.0], [3.5, np.nan]])
        assert list(given.data.columns) == ["a", "b"]

    def test_columns_of_several_types_become_a_frame(self) -> None:
        given = MIXED.inputs.read_split(["word", "count"], [["x", 1], [None, 2]])
        pd.testing.assert_frame_equal(given.data, pd.DataFrame({"count": [1, 2], "word": ["x", None]}, dtype=None))

    def test_a_tensor_is_read_from_its_rows(self) -> None:
        signature = signature_of(TensorSpec(np.dtype("float32"), (-1, 2)))
        given = signature.inputs.read_split(["0", "1"], [[1, 2]])
        np.testing.assert_array_equal(given.data, np.array([[1, 2]], dtype="float32"))


class TestRefusals:
    def test_a_name_that_is_there_twice(self) -> None:
        assert faults(DOUBLES, ["a", "a"], [[1, 2]])["body.inputs.columns"] == "has a name twice"

    def test_a_name_that_is_missing(self) -> None:
        assert faults(DOUBLES, ["a"], [[1]]) == {"body.inputs.columns.b": "is missing"}

    def test_a_name_that_the_model_does_not_have(self) -> None:
        assert "'c'" in faults(DOUBLES, ["a", "b", "c"], [[1, 2, 3]])["body.inputs.columns"]

    def test_a_row_that_is_too_short(self) -> None:
        assert set(faults(DOUBLES, ["a", "b"], [[1, 2], [1]])) == {"body.inputs.data.1"}

    def test_a_value_of_another_type(self) -> None:
        assert set(faults(DOUBLES, ["b", "a"], [[1, 2], [1, "x"]])) == {"body.inputs.data.1.0"}

    @pytest.mark.parametrize("value", [10**400, float("inf"), True])
    def test_a_number_beyond_all_bounds(self, value: Any) -> None:
        assert set(faults(DOUBLES, ["a", "b"], [[1, value]])) == {"body.inputs.data.0.1"}

    def test_too_many_rows(self) -> None:
        assert set(faults(DOUBLES, ["a", "b"], [[1, 2]] * (MAX_ROWS + 1))) == {"body.inputs"}


class TestPolicies:
    def test_unknown_columns_are_dropped_where_mlflow_drops_them(self) -> None:
        given = DOUBLES.inputs.read_split(["c", "a", "b"], [["x", 1, 2]], MLFLOW)
        np.testing.assert_array_equal(given.matrix, [[1.0, 2.0]])
        assert DOUBLES.inputs.read([{"a": 1, "b": 2, "c": "x"}], MLFLOW).rows == 1

    def test_text_is_no_number_unless_compatibility_is_asked_for(self) -> None:
        rows = [["2.5", 1]]
        assert set(faults(DOUBLES, ["a", "b"], rows, MLFLOW)) == {"body.inputs.data.0.0"}
        np.testing.assert_array_equal(DOUBLES.inputs.read_split(["a", "b"], rows, MLFLOW_COMPAT).data, [[2.5, 1.0]])

    def test_fractions_are_kept_off_integers_unless_compatibility_is_asked_for(self) -> None:
        rows = [[1.9, "x"]]
        assert set(faults(MIXED, ["count", "word"], rows, MLFLOW)) == {"body.inputs.data.0.0"}
        assert MIXED.inputs.read_split(["count", "word"], rows, MLFLOW_COMPAT).data["count"].tolist() == [1]

    def test_what_is_no_number_at_all_is_refused_even_then(self) -> None:
        assert set(faults(DOUBLES, ["a", "b"], [["x", 1]], MLFLOW_COMPAT)) == {"body.inputs.data.0.0"}
