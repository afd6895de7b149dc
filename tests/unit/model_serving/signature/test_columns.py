"""Tables, read against column-based signatures."""

import datetime as dt
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
from mlflow.types.schema import AnyType, Array, ColSpec, DataType, Map, Object, Property

from tests.unit.model_serving.signatures import MAX_ROWS, faults, read, signature_of

DOUBLES = signature_of(ColSpec("double", "a"), ColSpec("double", "b"))
MIXED = signature_of(ColSpec("long", "count"), ColSpec("string", "word"), ColSpec("double", "price", required=False))


class TestForms:
    @pytest.mark.parametrize(
        "inputs",
        [
            [{"a": 1.5, "b": 2}, {"b": None, "a": 3.5}],
            {"b": [2, None], "a": [1.5, 3.5]},
            [[1.5, 2], [3.5, None]],
        ],
        ids=["records", "columns", "rows"],
    )
    def test_records_columns_and_rows_give_the_same_table(self, inputs: Any) -> None:
        given = read(DOUBLES, inputs)
        expected = pd.DataFrame({"a": [1.5, 3.5], "b": [2.0, np.nan]})
        pd.testing.assert_frame_equal(given.data, expected)
        assert given.rows == 2
        np.testing.assert_array_equal(given.matrix, expected.to_numpy())

    def test_columns_come_in_the_order_of_the_signature(self) -> None:
        given = read(MIXED, [{"word": "x", "price": 1, "count": 2}])
        assert list(given.data.columns) == ["count", "word", "price"]

    def test_an_optional_column_that_no_record_has_is_absent(self) -> None:
        given = read(MIXED, [{"count": 1, "word": "x"}])
        assert list(given.data.columns) == ["count", "word"]

    def test_an_optional_column_that_some_records_have_is_null_in_the_others(self) -> None:
        given = read(MIXED, [{"count": 1, "word": "x"}, {"count": 2, "word": "y", "price": 3}])
        np.testing.assert_array_equal(given.data["price"], [np.nan, 3.0])

    def test_columns_without_names_are_read_by_position(self) -> None:
        given = read(signature_of(ColSpec("double"), ColSpec("double")), [[1, 2]])
        assert given.data.to_numpy().tolist() == [[1.0, 2.0]]

    def test_columns_without_names_cannot_be_sent_as_records(self) -> None:
        assert set(faults(signature_of(ColSpec("double")), [{"a": 1}])) == {"body.inputs"}

    def test_no_rows_are_no_rows(self) -> None:
        assert read(DOUBLES, []).rows == 0

    @pytest.mark.parametrize("inputs", [None, 3, "text", True, [1, 2], [[1, 2], {"a": 1, "b": 2}], [None]])
    def test_anything_else_is_refused(self, inputs: Any) -> None:
        assert set(faults(DOUBLES, inputs)) == {"body.inputs"}

    def test_texts_are_the_rows_of_a_model_of_texts(self) -> None:
        texts = signature_of(ColSpec("string"))
        given = read(texts, ["one", "two"])
        pd.testing.assert_frame_equal(given.data, read(texts, [["one"], ["two"]]).data)
        assert given.rows == 2
        assert list(faults(texts, ["one", 2])) == ["body.inputs.1.0"]
        assert list(faults(signature_of(ColSpec("string"), ColSpec("string")), ["one"])) == ["body.inputs"]


class TestNames:
    def test_each_missing_column_is_named(self) -> None:
        found = faults(DOUBLES, [{}, {"a": 1, "b": 2}])
        assert found == {"body.inputs.0.a": "is missing", "body.inputs.0.b": "is missing"}

    def test_an_unknown_column_is_named(self) -> None:
        assert "'c'" in faults(DOUBLES, [{"a": 1, "b": 2, "c": 3}])["body.inputs.0"]

    def test_an_unknown_column_of_columns_is_named(self) -> None:
        assert "'c'" in faults(DOUBLES, {"a": [1], "b": [2], "c": [3]})["body.inputs"]

    def test_a_missing_column_of_columns_is_named(self) -> None:
        assert faults(DOUBLES, {"a": [1]}) == {"body.inputs.b": "is missing"}

    def test_a_row_with_too_few_values_is_named(self) -> None:
        assert set(faults(DOUBLES, [[1, 2], [1]])) == {"body.inputs.1"}

    def test_columns_of_different_lengths_are_refused(self) -> None:
        assert set(faults(DOUBLES, {"a": [1], "b": [1, 2]})) == {"body.inputs"}

    def test_a_column_that_is_no_list_is_refused(self) -> None:
        assert set(faults(DOUBLES, {"a": 1, "b": [1]})) == {"body.inputs.a"}


class TestValues:
    @pytest.mark.parametrize(
        ("kind", "value"),
        [
            ("double", "2.5"),
            ("double", True),
            ("double", [1]),
            ("double", 10**400),
            ("double", float("inf")),
            ("float", 1e300),
            ("float", "1"),
            ("long", 1.9),
            ("long", "1"),
            ("long", None),
            ("long", True),
            ("long", 2**63),
            ("long", 1e300),
            ("long", float("inf")),
            ("long", float("nan")),
            ("integer", 2**31),
            ("boolean", 1),
            ("boolean", None),
            ("boolean", "true"),
            ("string", 1),
            ("binary", "not base64!"),
            ("binary", None),
            ("datetime", "yesterday"),
            ("datetime", 20200101),
            ("datetime", "2020-01-01T00:00:00Z"),
            ("datetime", "1500-01-01"),
        ],
    )
    def test_a_value_that_would_change_is_refused_by_name(self, kind: str, value: Any) -> None:
        found = faults(signature_of(ColSpec(kind, "x"), ColSpec("string", "y")), [{"x": value, "y": "ok"}])
        assert set(found) == {"body.inputs.0.x"}

    @pytest.mark.parametrize(
        ("kind", "value", "expected"),
        [
            ("double", 1, np.float64(1)),
            ("float", 0.1, np.float32(0.1)),
            ("long", 2.0, np.int64(2)),
            ("long", -(2**63), np.int64(-(2**63))),
            ("integer", 7, np.int32(7)),
            ("boolean", False, np.False_),
            ("string", "x", "x"),
            ("binary", "aGk=", b"hi"),
            ("datetime", "2020-01-02", np.datetime64("2020-01-02", "ns")),
            ("datetime", "2020-01-02T03:04:05.000006", np.datetime64("2020-01-02T03:04:05.000006", "ns")),
        ],
    )
    def test_a_value_that_fits_is_converted(self, kind: str, value: Any, expected: Any) -> None:
        column = read(signature_of(ColSpec(kind, "x")), [{"x": value}]).data["x"]
        assert column.to_numpy()[0] == expected
        assert getattr(column.to_numpy()[0], "dtype", None) == getattr(expected, "dtype", None)

    @pytest.mark.parametrize("kind", ["double", "float", "datetime", "string"])
    def test_null_is_a_missing_value_where_there_can_be_one(self, kind: str) -> None:
        data = read(signature_of(ColSpec(kind, "x")), [{"x": None}]).data
        assert data["x"].isna().all()

    def test_the_value_is_not_repeated(self) -> None:
        found = faults(MIXED, [{"count": "private-4711", "word": "x"}])
        assert all("4711" not in message for message in found.values())

    @pytest.mark.parametrize(
        ("inputs", "field"),
        [
            ([{"a": 1, "b": 1}, {"a": 1, "b": "x"}], "body.inputs.1.b"),
            ([[1, 1], [1, "x"]], "body.inputs.1.1"),
            ({"a": [1, 1], "b": [1, "x"]}, "body.inputs.b.1"),
        ],
    )
    def test_a_field_is_named_as_the_caller_wrote_it(self, inputs: Any, field: str) -> None:
        assert set(faults(DOUBLES, inputs)) == {field}

    def test_many_wrong_values_are_cut_to_twenty(self) -> None:
        wide = signature_of(*(ColSpec("double", f"c{number}") for number in range(30)))
        assert len(faults(wide, [["x"] * 30])) == 20

    def test_dates_stay_dates(self) -> None:
        data = read(signature_of(ColSpec("datetime", "day"), ColSpec("double", "x")), [["2024-02-29", 1]]).data
        assert data["day"].iloc[0] == dt.datetime(2024, 2, 29)  # noqa: DTZ001 (MLflow's datetime has no time zone)


class TestNested:
    ITEMS = signature_of(
        ColSpec(Array(DataType.double), "curve"),
        ColSpec(Object([Property("city", DataType.string), Property("zip", DataType.long, required=False)]), "place"),
        ColSpec(Map(DataType.boolean), "flags"),
        ColSpec(AnyType(), "rest", required=False),
    )
    GOOD: ClassVar = {"curve": [1, 2.5], "place": {"city": "x"}, "flags": {"on": True}}

    def test_values_that_fit_are_passed_on(self) -> None:
        data = read(self.ITEMS, [self.GOOD]).data
        assert data.to_dict("records") == [self.GOOD]

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"curve": [1, "x"]}, "body.inputs.0.curve.1"),
            ({"curve": 1}, "body.inputs.0.curve"),
            ({"place": {}}, "body.inputs.0.place.city"),
            ({"place": {"city": "x", "street": "y"}}, "body.inputs.0.place"),
            ({"place": {"city": "x", "zip": 1.5}}, "body.inputs.0.place.zip"),
            ({"place": []}, "body.inputs.0.place"),
            ({"flags": {"on": 1}}, "body.inputs.0.flags.*"),
            ({"flags": 1}, "body.inputs.0.flags"),
        ],
    )
    def test_the_part_that_does_not_fit_is_named(self, change: dict[str, Any], field: str) -> None:
        assert set(faults(self.ITEMS, [self.GOOD | change])) == {field}


class TestRowLimit:
    @pytest.mark.parametrize(
        "inputs",
        [[{"a": 1, "b": 1}] * (MAX_ROWS + 1), {"a": [1] * (MAX_ROWS + 1), "b": [1] * (MAX_ROWS + 1)}],
        ids=["records", "columns"],
    )
    def test_more_rows_than_allowed_are_refused(self, inputs: Any) -> None:
        assert "at most 5" in faults(DOUBLES, inputs)["body.inputs"]

    def test_as_many_rows_as_allowed_are_read(self) -> None:
        assert read(DOUBLES, [[1, 2]] * MAX_ROWS).rows == MAX_ROWS
