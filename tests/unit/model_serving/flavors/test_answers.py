"""Comparing, counting and cutting what models answer."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from services.model_serving.flavors.answers import count_rows, cut_rows, difference

NUMBERS = np.array([1.0, 2.0, 4.0])
FORMS: dict[str, Any] = {
    "array": NUMBERS,
    "matrix": NUMBERS.reshape(3, 1),
    "frame": pd.DataFrame({"x": NUMBERS, "label": ["a", "b", "c"]}),
    "series": pd.Series(NUMBERS),
    "list": [{"x": 1.0}, {"x": 2.0}, {"x": 4.0}],
    "tensors": {"x": NUMBERS, "y": NUMBERS.reshape(3, 1)},
}


class TestDifference:
    @pytest.mark.parametrize("form", list(FORMS))
    def test_an_answer_equals_itself(self, form: str) -> None:
        assert difference(FORMS[form], FORMS[form], 0.0) is None

    @pytest.mark.parametrize(
        "other",
        [
            NUMBERS.astype(np.float32),
            NUMBERS.reshape(3, 1),
            NUMBERS[:2],
            NUMBERS + 1,
            NUMBERS.tolist(),
            pd.Series(NUMBERS),
            None,
        ],
    )
    def test_another_type_shape_or_value_differs(self, other: Any) -> None:
        assert difference(other, NUMBERS, 1e-9) is not None

    def test_the_last_bit_counts_without_a_tolerance_only(self) -> None:
        near = np.nextafter(NUMBERS, 9)
        assert difference(near, NUMBERS, 0.0) == "other values"
        assert difference(near, NUMBERS, 1e-12) is None

    def test_a_tolerance_is_of_the_largest_number(self) -> None:
        assert difference(np.array([0.0, 1e6]), np.array([1e-7, 1e6]), 1e-12) is None
        assert difference(np.array([0.0, 1.0]), np.array([1e-7, 1.0]), 1e-12) == "other values"

    def test_nan_equals_nan_of_any_bits(self) -> None:
        other = np.array([np.uint64(0xFFF8000000000001)]).view(np.float64)
        assert difference(other, np.array([np.nan]), 0.0) is None

    def test_a_missing_value_does_not_equal_a_number(self) -> None:
        assert difference(np.array([np.nan, 1.0]), np.array([0.0, 1.0]), 1e-6) == "other values"

    def test_labels_know_no_tolerance(self) -> None:
        assert difference(np.array([1]), np.array([2]), 10.0) == "other values"

    def test_columns_have_names(self) -> None:
        assert difference(pd.DataFrame({"x": [1]}), pd.DataFrame({"y": [1]}), 0.0) == "other columns or rows"

    def test_outputs_have_an_order(self) -> None:
        assert difference({"y": 1, "x": 1}, {"x": 1, "y": 1}, 0.0) == "other keys"


class TestRows:
    @pytest.mark.parametrize("form", list(FORMS))
    def test_rows_are_counted_and_cut(self, form: str) -> None:
        assert count_rows(FORMS[form]) == 3
        assert count_rows(cut_rows(FORMS[form], 1, 2)) == 1

    @pytest.mark.parametrize("answer", [np.array(1.0), "text", 1, {"x": NUMBERS, "y": NUMBERS[:2]}, {}])
    def test_what_has_no_rows(self, answer: Any) -> None:
        assert count_rows(answer) is None
