"""Whether two answers are the same."""

import pytest

from services.model_serving.loading.comparison import first_difference


class TestFirstDifference:
    @pytest.mark.parametrize(
        ("left", "right"),
        [
            ([1, 2.0], [1, 2.0]),
            ([0.1 + 0.2], [0.3]),
            ([{"a": None}], [{"a": None}]),
            ("x", "x"),
        ],
    )
    def test_the_same(self, left: object, right: object) -> None:
        assert first_difference(left, right) is None

    @pytest.mark.parametrize(
        ("left", "right", "where"),
        [
            ([1.0, 2.0], [1.0, 2.1], "predictions.1"),
            ([1.0], [None], "predictions.0"),
            ([1], [1, 2], "predictions"),
            ([{"a": 1}], [{"b": 1}], "predictions.0"),
            ([{"a": [1, 2]}], [{"a": [1, 3]}], "predictions.0.a.1"),
            ({"a": 1}, [1], "predictions"),
        ],
    )
    def test_different(self, left: object, right: object, where: str) -> None:
        assert first_difference(left, right) == where
