"""Profiles of columns of every kind, and their JSON form."""

import json
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlplatform.monitoring.columns import to_columns
from mlplatform.monitoring.drift import compare
from mlplatform.monitoring.profile import InvalidProfile, Profile, describe_column, make_profile
from mlplatform.monitoring.values import read_values

VALUES = st.one_of(st.floats(), st.none(), st.integers(), st.text(), st.booleans())
BAD = ["", "[]", "{}", '{"format": 9}', '{"format": 1, "inputs": [], "predictions": {}}']


class TestDescribe:
    def test_numbers_have_quantiles_and_bins_of_equal_share(self) -> None:
        column = describe_column(np.arange(1000.0))
        assert column is not None
        assert (column.kind, column.rows, column.missing) == ("numeric", 1000, 0)
        assert (column.quantiles[0], column.quantiles[-1]) == (0.0, 999.0)
        assert all(99 <= count <= 101 for count in column.counts)

    def test_what_is_not_finite_is_missing(self) -> None:
        column = describe_column(np.array([1.5, np.nan, np.inf, 2.5]))
        assert column is not None
        assert (column.rows, column.missing) == (4, 2)

    @pytest.mark.parametrize(
        ("values", "kind", "categories"),
        [
            ([1, 2, 1, 1], "categorical", ("1", "2")),
            ([1.0, 0.0, 1.0], "categorical", ("1", "0")),
            ([True, False, True], "categorical", ("true", "false")),
            (["x", None, "y", "x"], "categorical", ("x", "y")),
            ([0.5, 1.5, 2.5], "numeric", ()),
            (list(range(100)), "numeric", ()),
            ([f"text {number}" for number in range(200)], "text", ()),
            ([datetime(2026, 1, day, tzinfo=UTC) for day in range(1, 20)], "numeric", ()),
        ],
    )
    def test_the_kind_follows_from_the_values(self, values: list, kind: str, categories: tuple[str, ...]) -> None:
        [column] = make_profile(pd.DataFrame({"x": values})).inputs.values()
        assert (column.kind, column.categories) == (kind, categories)

    @pytest.mark.parametrize("values", [[], [None, None], [[1], [2]], [{"a": 1}]])
    def test_what_cannot_be_described_is_left_out(self, values: list) -> None:
        column = np.empty(len(values), dtype=object)
        column[:] = values
        assert describe_column(column) is None

    def test_categories_are_the_same_before_and_after_json(self) -> None:
        column = describe_column(np.array([1, 2, 2, 3]))
        assert column is not None
        after = np.array(json.loads("[1.0, 2, 2.0, 3]"), dtype=object)
        assert column.count(read_values(after)) == column.counts

    @given(
        st.lists(st.one_of(st.floats(), st.none(), st.integers(), st.text(), st.booleans()), min_size=1, max_size=60)
    )
    def test_any_column_that_has_a_profile_compares_with_itself(self, values: list) -> None:
        column = np.empty(len(values), dtype=object)
        column[:] = values
        found = describe_column(column)
        if found is not None:
            [drift] = compare(Profile({"x": found}, {}), {"x": column}, {})
            assert drift.level == "none"
            assert sum(drift.counts) == len(values)


class TestMakeProfile:
    def test_excluded_columns_are_not_in_it(self) -> None:
        profile = make_profile(pd.DataFrame({"a": [1.5, 2.5], "email": ["x@y", "z@y"]}), exclude=["email"])
        assert set(profile.inputs) == {"a"}
        assert "x@y" not in profile.dumps()

    def test_predictions_of_any_form_are_described(self) -> None:
        frame = pd.DataFrame({"a": np.arange(30.0)})
        for predictions in (np.arange(30.0), pd.Series(np.arange(30.0)), list(np.arange(30.0)), np.ones((30, 1))):
            assert set(make_profile(frame, predictions).predictions) == {"prediction"}
        assert set(make_profile(frame, np.ones((30, 2))).predictions) == {"0", "1"}

    def test_nothing_to_describe_is_refused(self) -> None:
        with pytest.raises(InvalidProfile, match="no column"):
            make_profile(np.zeros((3, 2, 2)))


class TestJson:
    def test_comes_back_as_it_was(self) -> None:
        frame = pd.DataFrame({"a": np.arange(50) / 7, "b": ["x", "y"] * 25, "c": [None, 1.5] * 25})
        profile = make_profile(frame, np.arange(50.0))
        assert Profile.loads(profile.dumps()) == profile

    @pytest.mark.parametrize(
        "text", ["", "[]", "{}", '{"format": 9}', '{"format": 1, "inputs": [], "predictions": {}}']
    )
    def test_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(InvalidProfile):
            Profile.loads(text)


class TestColumns:
    def test_of_a_matrix_have_the_names_given(self) -> None:
        assert set(to_columns(np.ones((2, 2)), ["a", "b"])) == {"a", "b"}

    def test_of_arrays_by_name_that_differ_in_length_are_none(self) -> None:
        assert to_columns({"a": np.ones(2), "b": np.ones(3)}) == {}

    def test_of_images_are_none(self) -> None:
        assert to_columns(np.ones((2, 8, 8))) == {}
