"""Typed arrays, read against signatures."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.types.schema import Array, ColSpec, DataType, TensorSpec

from services.model_serving.errors import InvalidInputs
from services.model_serving.signature import MLFLOW, Signature
from tests.unit.model_serving.signatures import MAX_ROWS, by_field, signature_of

DOUBLES = signature_of(ColSpec("double", "a"), ColSpec("double", "b"))
TENSOR = signature_of(TensorSpec(np.dtype("float32"), (-1, 2)))


def faults(signature: Signature, arrays: Any) -> dict[str, str]:
    with pytest.raises(InvalidInputs) as caught:
        signature.inputs.read_arrays(arrays)
    return by_field(caught.value.errors)


def column(kind: str, values: Any) -> list[Any]:
    given = signature_of(ColSpec(kind, "x")).inputs.read_arrays({"x": np.asarray(values)})
    return given.data["x"].tolist()


class TestColumns:
    @pytest.mark.parametrize("shape", [(2,), (2, 1)])
    def test_one_array_per_column(self, shape: tuple[int, ...]) -> None:
        arrays = {"b": np.array([3, 4], dtype="int8").reshape(shape), "a": np.array([1.5, np.nan]).reshape(shape)}
        given = DOUBLES.inputs.read_arrays(arrays)
        np.testing.assert_array_equal(given.matrix, [[1.5, 3.0], [np.nan, 4.0]])
        assert list(given.data.columns) == ["a", "b"]

    def test_one_array_for_all_by_position(self) -> None:
        given = DOUBLES.inputs.read_arrays(np.array([[1.0, 2.0]], dtype="float32"))
        np.testing.assert_array_equal(given.matrix, [[1.0, 2.0]])
        assert given.matrix.dtype == np.float64

    @pytest.mark.parametrize(
        ("kind", "values", "expected"),
        [
            ("long", np.array([1, 2], dtype="uint8"), [1, 2]),
            ("integer", np.array([1.0, 2.0]), [1, 2]),
            ("float", np.array([1.5], dtype="float16"), [1.5]),
            ("boolean", np.array([True, False]), [True, False]),
            ("string", np.array(["ä", "b"], dtype=object), ["ä", "b"]),
            ("binary", np.array([b"\x00"], dtype=object), [b"\x00"]),
            ("datetime", np.array(["2026-01-02"], dtype=object), [pd.Timestamp("2026-01-02")]),
        ],
    )
    def test_each_type(self, kind: str, values: Any, expected: list[Any]) -> None:
        assert column(kind, values) == expected

    def test_an_optional_column_may_be_left_out(self) -> None:
        signature = signature_of(ColSpec("double", "a"), ColSpec("double", "b", required=False))
        assert list(signature.inputs.read_arrays({"a": np.array([1.0])}).data.columns) == ["a"]

    def test_unknown_columns_are_dropped_where_mlflow_drops_them(self) -> None:
        arrays = {name: np.array([1.0]) for name in "abc"}
        assert "'c'" in faults(DOUBLES, arrays)["body.inputs"]
        assert DOUBLES.inputs.read_arrays(arrays, MLFLOW).rows == 1


class TestRefusals:
    @pytest.mark.parametrize(
        ("kind", "values"),
        [
            ("long", np.array([1.9])),
            ("long", np.array([np.nan])),
            ("long", np.array([2**63], dtype="uint64")),
            ("integer", np.array([2**31])),
            ("float", np.array([1e300])),
            ("double", np.array([np.inf])),
            ("double", np.array([True])),
            ("boolean", np.array([1])),
            ("string", np.array([1.0])),
            ("double", np.array(["1"], dtype=object)),
            ("double", np.zeros((1, 2))),
            ("double", np.array(1.0)),
        ],
    )
    def test_a_value_that_the_column_cannot_hold(self, kind: str, values: Any) -> None:
        assert set(faults(signature_of(ColSpec(kind, "x")), {"x": values})) == {"body.inputs.x"}

    def test_a_text_that_is_no_date_is_named_by_its_row(self) -> None:
        signature = signature_of(ColSpec("datetime", "x"))
        assert set(faults(signature, {"x": np.array(["2026-01-02", "x"], dtype=object)})) == {"body.inputs.x.1"}

    def test_a_column_of_lists_is_to_be_sent_as_json(self) -> None:
        signature = signature_of(ColSpec(Array(DataType.double), "x"))
        assert "JSON" in faults(signature, {"x": np.array([[1.0]], dtype=object)})["body.inputs.x"]

    @pytest.mark.parametrize(
        "arrays",
        [np.zeros((1, 3)), np.zeros(2), {"a": np.zeros(1), "b": np.zeros(2)}, np.zeros((MAX_ROWS + 1, 2))],
        ids=["width", "vector", "lengths", "rows"],
    )
    def test_a_table_of_another_shape(self, arrays: Any) -> None:
        assert set(faults(DOUBLES, arrays)) == {"body.inputs"}


class TestTensors:
    @pytest.mark.parametrize("named", [False, True])
    def test_a_model_of_one_tensor_takes_it_by_any_name(self, named: bool) -> None:
        array = np.array([[1, 2]], dtype="int64")
        given = TENSOR.inputs.read_arrays({"anything": array} if named else array)
        assert given.data.dtype == np.float32
        assert given.rows == 1

    def test_several_tensors_by_name(self) -> None:
        specs = [TensorSpec(np.dtype("int64"), (-1,), "ids"), TensorSpec(np.dtype("float32"), (-1, 2), "features")]
        arrays = {"features": np.zeros((3, 2)), "ids": np.arange(3)}
        given = signature_of(*specs).inputs.read_arrays(arrays)
        assert given.data["features"].dtype == np.float32
        assert set(faults(signature_of(*specs), {"ids": np.arange(3)})) == {"body.inputs.features"}

    @pytest.mark.parametrize("array", [np.zeros((1, 3)), np.array([["x", "y"]], dtype=object), np.full((1, 2), 1e300)])
    def test_what_does_not_fit(self, array: Any) -> None:
        assert set(faults(TENSOR, array)) == {"body.inputs"}
