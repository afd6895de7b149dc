"""The parameters of a call."""

import pytest
from mlflow.types.schema import ColSpec, ParamSchema, ParamSpec

from services.model_serving.errors import InvalidInputs
from tests.unit.model_serving.signatures import by_field, signature_of

SIGNATURE = signature_of(
    ColSpec("double", "x"),
    params=ParamSchema([ParamSpec("horizon", "long", 5), ParamSpec("levels", "double", [0.5], shape=(-1,))]),
)


class TestParameters:
    def test_those_left_out_get_their_default(self) -> None:
        assert SIGNATURE.parameters.read({"horizon": 7}) == {"horizon": 7, "levels": [0.5]}

    def test_a_model_without_parameters_gets_none(self) -> None:
        assert signature_of(ColSpec("double", "x")).parameters.read({}) is None

    @pytest.mark.parametrize("value", ["private-4711", 1.5, [1]])
    def test_a_wrong_type_is_named_without_the_value(self, value: object) -> None:
        with pytest.raises(InvalidInputs) as caught:
            SIGNATURE.parameters.read({"horizon": value})
        assert by_field(caught.value.errors) == {"body.params.horizon": "must be a long"}

    def test_an_unknown_one_is_refused_with_the_known_ones(self) -> None:
        with pytest.raises(InvalidInputs) as caught:
            SIGNATURE.parameters.read({"other": 1})
        assert "horizon, levels" in by_field(caught.value.errors)["body.params.other"]
