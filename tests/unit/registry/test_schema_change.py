"""What breaks the callers of a signature."""

import numpy as np
import pytest
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec

from mlplatform.registry.schema_change import breaking_changes, compare_fields

LONG, DOUBLE, STRING = DataType.long, DataType.double, DataType.string


def columns(*specs: tuple[str, DataType] | tuple[str, DataType, bool]) -> Schema:
    return Schema([ColSpec(name=spec[0], type=spec[1], required=spec[2] if len(spec) > 2 else True) for spec in specs])


def parameters(**kinds: DataType) -> ParamSchema:
    return ParamSchema([ParamSpec(name, kind, 1 if kind is LONG else "1") for name, kind in kinds.items()])


OLD = columns(("a", DOUBLE), ("b", LONG, False))
OUT = columns(("y", DOUBLE))


def changes(new_inputs: Schema = OLD, new_outputs: Schema = OUT) -> list[str]:
    return breaking_changes(ModelSignature(OLD, OUT), ModelSignature(new_inputs, new_outputs))


class TestBreakingChanges:
    def test_the_same_signature_breaks_nobody(self):
        assert changes() == []

    def test_a_new_optional_input_breaks_nobody(self):
        assert changes(columns(("a", DOUBLE), ("b", LONG, False), ("c", STRING, False))) == []

    def test_an_input_that_is_optional_now_breaks_nobody(self):
        assert changes(columns(("a", DOUBLE, False), ("b", LONG, False))) == []

    def test_a_new_output_with_a_name_breaks_nobody(self):
        assert changes(new_outputs=columns(("y", DOUBLE), ("spread", DOUBLE))) == []

    @pytest.mark.parametrize(
        ("inputs", "expected"),
        [
            (columns(("a", DOUBLE)), "input b is gone"),
            (columns(("a", STRING), ("b", LONG, False)), "input a is string, was double"),
            (columns(("a", DOUBLE), ("b", LONG, False), ("c", LONG)), "input c is new and required"),
            (columns(("a", DOUBLE), ("b", LONG)), "input b is required now"),
            (columns(("b", LONG, False), ("a", DOUBLE)), "the inputs are in another order"),
        ],
    )
    def test_changed_inputs(self, inputs, expected):
        assert changes(inputs) == [expected]

    def test_a_changed_output(self):
        assert changes(new_outputs=columns(("y", LONG))) == ["output y is long, was double"]

    def test_more_outputs_without_names(self):
        one, two = Schema([ColSpec(DOUBLE)]), Schema([ColSpec(DOUBLE), ColSpec(DOUBLE)])
        assert breaking_changes(ModelSignature(OLD, one), ModelSignature(OLD, two)) == ["there are more outputs"]

    def test_a_tensor_of_another_shape(self):
        old, new = (Schema([TensorSpec(np.dtype("float32"), (-1, width))]) for width in (3, 4))
        assert breaking_changes(ModelSignature(old, OUT), ModelSignature(new, OUT)) == [
            "input 1 is float32 of shape (-1, 4), was float32 of shape (-1, 3)"
        ]

    def test_parameters(self):
        old = ModelSignature(OLD, OUT, parameters(horizon=LONG, unit=STRING))
        new = ModelSignature(OLD, OUT, parameters(horizon=STRING, seed=LONG))
        assert breaking_changes(old, new) == ["parameter unit is gone", "parameter horizon is string, was long"]


class TestCompareFields:
    def test_sets_two_signatures_side_by_side(self):
        old = ModelSignature(OLD, OUT, parameters(beams=LONG))
        new = ModelSignature(columns(("a", STRING), ("c", STRING, False)), OUT)
        assert compare_fields(old, new) == [
            {"kind": "input", "name": "a", "production": "double", "candidate": "string"},
            {"kind": "input", "name": "c", "production": None, "candidate": "string, optional"},
            {"kind": "input", "name": "b", "production": "long, optional", "candidate": None},
            {"kind": "output", "name": "y", "production": "double", "candidate": "double"},
            {"kind": "parameter", "name": "beams", "production": "long", "candidate": None},
        ]

    def test_with_nothing_in_production(self):
        fields = compare_fields(None, ModelSignature(OLD, OUT))
        assert [(field["name"], field["production"]) for field in fields] == [("a", None), ("b", None), ("y", None)]
