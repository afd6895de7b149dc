"""Inputs that are made from an input example."""

import numpy as np
import pytest
from mlflow.types.schema import Array, ColSpec, DataType, Schema, TensorSpec

from services.model_serving.flavors.derived import SEVERAL, example_rows

TABLE = Schema(
    [
        ColSpec("double", "price"),
        ColSpec("long", "count"),
        ColSpec("string", "name"),
        ColSpec("double", "extra", required=False),
    ]
)
GIVEN = {"price": [1.5], "count": [3], "name": ["x"], "extra": [2.0]}


class TestTable:
    def test_rows_differ_in_their_numbers(self) -> None:
        example = example_rows(GIVEN, TABLE)
        assert example is not None
        several = example.several()
        assert isinstance(several, dict)
        assert len(set(several["price"])) == SEVERAL
        assert set(several["name"]) == {"x"}
        assert all(type(value) is int for value in several["count"])

    def test_rows_apart_are_the_rows_together(self) -> None:
        example = example_rows(GIVEN, TABLE)
        assert example is not None
        joined: dict[str, list[object]] = {name: [] for name in GIVEN}
        for row in example.apart():
            assert isinstance(row, dict)
            for name, values in row.items():
                joined[name] += values
        assert joined == example.several()

    def test_variants_hold_nulls_whole_numbers_and_left_out_columns(self) -> None:
        example = example_rows(GIVEN, TABLE)
        assert example is not None
        variants: dict[str, object] = dict(example.variants())
        nulls, whole, few = (
            variants[name] for name in ("nulls", "whole numbers in columns of doubles", "without the optional columns")
        )
        assert isinstance(nulls, dict)
        assert isinstance(whole, dict)
        assert isinstance(few, dict)
        assert None in nulls["price"]
        assert None not in nulls["count"]
        assert all(type(value) is int for value in whole["price"])
        assert "extra" not in few

    def test_records_rows_and_texts_are_read(self) -> None:
        nameless = Schema([ColSpec("double"), ColSpec("double")])
        for inputs, schema in (
            ([{"price": 1.0, "count": 1, "name": "x"}], TABLE),
            ([[1.0, 2.0]], nameless),
            (["one", "two"], Schema([ColSpec("string")])),
            ({"words": [["a", "b"]]}, Schema([ColSpec(Array(DataType.string), "words")])),
        ):
            example = example_rows(inputs, schema)
            assert example is not None
            assert len(example.apart()) == SEVERAL

    @pytest.mark.parametrize("inputs", ["text", {}, {"price": []}, {"price": [1.0], "count": [1, 2]}, [1, [2]]])
    def test_what_is_no_table_has_no_rows(self, inputs: object) -> None:
        assert example_rows(inputs, TABLE) is None


class TestTensors:
    def test_indices_stay_those_of_the_example(self) -> None:
        schema = Schema([TensorSpec(np.dtype(np.int64), (-1, 3), "tokens")])
        example = example_rows({"tokens": [[7, 8, 9]]}, schema)
        assert example is not None
        several = example.several()
        assert isinstance(several, dict)
        assert {value for row in several["tokens"] for value in row} == {7, 8, 9}

    def test_a_tensor_of_one_length_has_no_rows(self) -> None:
        assert example_rows([1.0, 2.0], Schema([TensorSpec(np.dtype(np.float64), (2,))])) is None

    def test_a_lone_tensor_has_no_name(self) -> None:
        example = example_rows([[1.0, 2.0]], Schema([TensorSpec(np.dtype(np.float64), (-1, 2))]))
        assert example is not None
        assert isinstance(example.several(), list)
