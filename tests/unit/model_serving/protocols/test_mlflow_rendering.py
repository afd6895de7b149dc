"""Answers of the scoring protocol, against MLflow's own writer."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from mlflow.pyfunc.scoring_server import predictions_to_json

from services.model_serving.errors import ModelFailedError
from services.model_serving.protocols.mlflow_scoring.rendering import render

SHAPES = arrays.array_shapes(max_dims=3, max_side=12)
ARRAYS = {
    "any": arrays.arrays(np.float64, SHAPES, elements=st.floats(allow_nan=False, allow_infinity=False)),
    "without exponents": arrays.arrays(np.float64, SHAPES, elements=st.floats(1e-4, 1e16, exclude_max=True)),
    "float32": arrays.arrays(np.float32, SHAPES, elements=st.floats(0, 1, width=32)),
    "integers": arrays.arrays(st.sampled_from([np.int64, np.int32, np.uint8, np.bool_]), SHAPES),
    "big-endian": arrays.arrays(np.dtype(">f8"), SHAPES, elements=st.floats(0, 1)),
}


def stock(predictions: object) -> bytes:
    """Write as MLflow's server does."""
    buffer = io.StringIO()
    predictions_to_json(predictions, buffer)
    return buffer.getvalue().encode()


class TestRendering:
    """Byte for byte."""

    @pytest.mark.parametrize("kind", ARRAYS)
    @given(data=st.data())
    def test_arrays(self, kind: str, data: st.DataObject):
        predictions = data.draw(ARRAYS[kind])
        assert render(predictions) == stock(predictions)

    @given(st.lists(st.floats(1e-4, 1e-3) | st.floats(9e15, 1e16) | st.just(0.0) | st.just(-0.0), min_size=65))
    def test_floats_next_to_the_exponent(self, predictions: list[float]):
        assert render(np.array(predictions)) == stock(np.array(predictions))

    @pytest.mark.parametrize("order", ["C", "F"])
    def test_memory_order(self, order: str):
        predictions = np.array(np.arange(300.0).reshape(100, 3) / 7, order=order)
        assert render(predictions) == stock(predictions)
        assert render(predictions[::2]) == stock(predictions[::2])

    @pytest.mark.parametrize(
        "predictions",
        [
            [],
            [1, "é", None, True],
            {"a": np.array([1, 2]), "b": b"x" * 100},
            pd.Series([1.5, 2.5], name="s"),
            pd.DataFrame({"a": [1, 2], "t": pd.to_datetime(["2026-01-02", "2026-01-03"])}),
            np.array(["a", "b"]),
            np.array([[1, "x"]], dtype=object),
            3,
            "text",
        ],
    )
    def test_everything_else(self, predictions: object):
        assert render(predictions) == stock(predictions)

    @pytest.mark.parametrize("length", [3, 300])
    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_what_json_does_not_have_is_null(self, length: int, value: float):
        predictions = np.full(length, 0.5)
        predictions[1] = value
        assert json.loads(render(predictions))["predictions"] == [0.5, None, *[0.5] * (length - 2)]
        frame = pd.DataFrame({"a": predictions, "b": [[value]] * length})
        assert json.loads(render(frame))["predictions"][1] == {"a": None, "b": [None]}

    def test_what_has_no_form_is_a_fault_of_the_model(self):
        circle: list[object] = []
        circle.append(circle)
        for answer in ({1, 2}, object(), circle, 1j, {(1, 2): 3}):
            with pytest.raises(ModelFailedError):
                render(answer)

    def test_unwrapped(self):
        assert render(["a"], wrapped=False) == b'["a"]'
        assert render(np.arange(100), wrapped=False) == json.dumps(list(range(100))).encode()
