"""Comparing the answers of two versions."""

import numpy as np
import pandas as pd
import pytest

from services.model_serving.traffic.comparison import compare


class TestNumbers:
    def test_agree_within_the_tolerance_and_tell_how_far_apart_they_are(self) -> None:
        found = compare(np.array([1.0, 2.0, 100.0]), np.array([1.0, 2.1, 100.05]), 1e-3)
        assert found is not None
        assert (found.rows, found.agreed) == (3, 2)
        assert found.differences == pytest.approx([0, 0.1, 0.05])

    def test_that_are_missing_on_both_sides_agree(self) -> None:
        found = compare(np.array([np.nan, np.nan, np.inf]), np.array([np.nan, 1.0, np.inf]), 0)
        assert found is not None
        assert found.agreed == 2
        assert np.isfinite(found.differences).all()

    def test_of_a_row_agree_when_all_of_them_do(self) -> None:
        found = compare(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, 2.0], [3.0, 5.0]]), 1e-6)
        assert found is not None
        assert (found.rows, found.agreed, len(found.differences)) == (2, 1, 4)


class TestClasses:
    @pytest.mark.parametrize(
        ("ours", "theirs"),
        [
            (np.array([1, 2, 3]), np.array([1, 2, 4])),
            (np.array(["a", "b", "c"], dtype=object), np.array(["a", "b", "d"], dtype=object)),
            (["a", "b", "c"], ["a", "b", "d"]),
            (pd.Series(["a", "b", "c"]), pd.Series(["a", "b", "d"])),
        ],
    )
    def test_agree_when_equal(self, ours: object, theirs: object) -> None:
        found = compare(ours, theirs, 0.5)
        assert found is not None
        assert (found.rows, found.agreed, len(found.differences)) == (3, 2, 0)


class TestFrames:
    def test_are_compared_by_column_name(self) -> None:
        ours = pd.DataFrame({"label": ["a", "b"], "score": [0.1, 0.2]})
        theirs = pd.DataFrame({"score": [0.1, 0.3], "label": ["a", "b"]})
        found = compare(ours, theirs, 1e-6)
        assert found is not None
        assert (found.rows, found.agreed) == (2, 1)


class TestShapes:
    @pytest.mark.parametrize(
        ("ours", "theirs"),
        [
            (np.zeros(3), np.zeros(2)),
            (np.zeros(3), np.zeros((3, 1))),
            (pd.DataFrame({"a": [1.0]}), pd.DataFrame({"b": [1.0]})),
            (np.zeros(1), None),
            (object(), object()),
        ],
    )
    def test_that_differ_cannot_be_compared(self, ours: object, theirs: object) -> None:
        assert compare(ours, theirs, 1) is None
