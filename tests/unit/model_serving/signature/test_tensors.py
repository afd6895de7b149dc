"""Nested lists, read against tensor-based signatures."""

from typing import Any

import numpy as np
import pytest
from mlflow.types.schema import TensorSpec

from tests.unit.model_serving.signatures import faults, read, signature_of

MATRIX = signature_of(TensorSpec(np.dtype("float32"), (-1, 3)))
NAMED = signature_of(
    TensorSpec(np.dtype("int64"), (-1, 2), name="ids"), TensorSpec(np.dtype("bool"), (-1,), name="mask")
)


class TestUnnamed:
    def test_gives_an_array_of_the_declared_type(self) -> None:
        given = read(MATRIX, [[1, 2, None], [4.5, 5, 6]])
        assert given.data.dtype == np.float32
        np.testing.assert_array_equal(given.data, np.array([[1, 2, np.nan], [4.5, 5, 6]], dtype=np.float32))
        assert given.rows == 2

    @pytest.mark.parametrize(
        ("inputs", "field"),
        [
            ([[1, 2]], "body.inputs"),
            ([1, 2, 3], "body.inputs"),
            ([[1, 2, 3], [1]], "body.inputs"),
            ([[[1, 2, 3]]], "body.inputs"),
            ([[1, 2, 3]] * 6, "body.inputs"),
            ({"a": [1]}, "body.inputs"),
            (7, "body.inputs"),
            ([[1, 2, 3], [1, "x", 3]], "body.inputs.1.1"),
            ([[1, 2, True]], "body.inputs.0.2"),
            ([[1, 2, 1e300]], "body.inputs.0.2"),
        ],
    )
    def test_what_does_not_fit_is_named(self, inputs: Any, field: str) -> None:
        assert set(faults(MATRIX, inputs)) == {field}

    def test_nesting_beyond_what_arrays_have_is_refused(self) -> None:
        deep: Any = 1
        for _ in range(200):
            deep = [deep]
        assert set(faults(MATRIX, deep)) == {"body.inputs"}

    def test_no_rows_are_no_rows(self) -> None:
        assert read(MATRIX, []).rows == 0


class TestNamed:
    def test_gives_arrays_by_name(self) -> None:
        given = read(NAMED, {"ids": [[1, 2.0]], "mask": [True]})
        assert given.data["ids"].tolist() == [[1, 2]]
        assert given.data["ids"].dtype == np.int64
        assert given.data["mask"].tolist() == [True]

    @pytest.mark.parametrize(
        ("inputs", "field"),
        [
            ({"ids": [[1, 2]]}, "body.inputs.mask"),
            ({"ids": [[1, 2]], "mask": [True], "more": []}, "body.inputs"),
            ({"ids": [[1, 1.9]], "mask": [True]}, "body.inputs.ids.0.1"),
            ({"ids": [[1, 2]], "mask": [1]}, "body.inputs.mask.0"),
            ([[1, 2]], "body.inputs"),
        ],
    )
    def test_what_does_not_fit_is_named(self, inputs: Any, field: str) -> None:
        assert set(faults(NAMED, inputs)) == {field}
