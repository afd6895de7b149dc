"""Whatever is sent, the parsers answer with inputs or with an error of the caller's."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlplatform.errors import PlatformError
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.protocols.mlflow_scoring.content_type import Form
from services.model_serving.protocols.mlflow_scoring.errors import render_error as render_mlflow_error
from services.model_serving.protocols.mlflow_scoring.json_request import JsonRequest
from services.model_serving.protocols.mlflow_scoring.table_request import TableRequest
from services.model_serving.protocols.open_inference.errors import render_error as render_v2_error
from services.model_serving.protocols.open_inference.infer_body import InferBody
from services.model_serving.signature import MLFLOW, MLFLOW_COMPAT
from tests.unit.model_serving.protocols import models

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=4),
    st.sampled_from(["1.5", "2026-01-02", "YQ=="]),
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3)
)
NAMES = st.sampled_from(["a", "b", "n", "s", "x", "y", "ids", "prompt", "t", "f"])
RECORD = st.dictionaries(NAMES, VALUES, max_size=4)
NUMBERS = st.lists(st.lists(st.floats() | st.integers(), max_size=3), max_size=3)
TABLE = st.one_of(VALUES, RECORD, st.lists(RECORD, max_size=3), NUMBERS)
SPLIT = st.fixed_dictionaries(
    {"data": TABLE}, optional={"columns": st.lists(NAMES, max_size=4) | VALUES, "index": VALUES}
)
SCORING = st.fixed_dictionaries(
    {},
    optional={
        "dataframe_split": SPLIT,
        "dataframe_records": TABLE,
        "instances": TABLE,
        "inputs": TABLE,
        "params": RECORD | st.fixed_dictionaries({"k": VALUES}),
        "prompt": VALUES,
        "messages": VALUES,
    },
)
DATATYPES = st.sampled_from(["BOOL", "INT8", "INT64", "UINT8", "FP16", "FP32", "FP64", "BYTES", "X"])
SHAPES = st.lists(st.integers(0, 3), max_size=3) | st.lists(st.integers(), max_size=3) | VALUES
TENSOR = st.fixed_dictionaries(
    {"name": NAMES, "shape": SHAPES, "datatype": DATATYPES},
    optional={
        "data": TABLE,
        "parameters": st.fixed_dictionaries({}, optional={"binary_data_size": st.integers(-1, 64), "x": VALUES}),
    },
)
INFERENCE = st.fixed_dictionaries(
    {"inputs": st.lists(TENSOR, max_size=3)},
    optional={
        "id": VALUES,
        "parameters": RECORD,
        "outputs": st.lists(st.fixed_dictionaries({"name": VALUES})) | VALUES,
    },
)
MODELS = st.sampled_from(models.ALL)
EXAMPLES = settings(max_examples=150, deadline=None)


def check(reading: Any, model: LoadedModel, render: Any) -> None:
    """Read; let a caller's fault pass, and nothing else."""
    fault: PlatformError | None = None
    try:
        given, _ = reading.read(model)
    except PlatformError as error:
        fault = error
    if fault is None:
        assert given.rows <= models.MAX_ROWS
        assert given.data is not None
    else:
        assert 400 <= render(fault, "r").status < 500


class TestScoring:
    """MLflow's protocol."""

    @EXAMPLES
    @given(SCORING | VALUES, MODELS, st.sampled_from([MLFLOW, MLFLOW_COMPAT]))
    def test_json(self, body: Any, model: LoadedModel, policy: Any):
        check(JsonRequest(json.dumps(body).encode("utf-8", "replace"), policy), model, render_mlflow_error)

    @EXAMPLES
    @given(SCORING, MODELS, st.integers(0, 200), st.binary(max_size=3))
    def test_broken_json(self, body: Any, model: LoadedModel, position: int, junk: bytes):
        text = json.dumps(body).encode("utf-8", "replace")
        check(JsonRequest(text[:position] + junk + text[position:], MLFLOW), model, render_mlflow_error)

    @settings(EXAMPLES, max_examples=100)
    @given(st.text("ab,ns\n\"x.1-e' ", max_size=40), MODELS)
    def test_csv(self, text: str, model: LoadedModel):
        check(TableRequest(text.encode(), Form.CSV, MLFLOW, models.MAX_ROWS), model, render_mlflow_error)


class TestInference:
    """The Open Inference Protocol."""

    @EXAMPLES
    @given(INFERENCE | VALUES, MODELS)
    def test_json(self, body: Any, model: LoadedModel):
        check(InferBody(json.dumps(body).encode("utf-8", "replace"), None), model, render_v2_error)

    @EXAMPLES
    @given(INFERENCE, MODELS, st.binary(max_size=64), st.integers(-3, 3))
    def test_binary(self, body: Any, model: LoadedModel, content: bytes, lie: int):
        text = json.dumps(body).encode("utf-8", "replace")
        check(InferBody(text + content, str(len(text) + lie)), model, render_v2_error)

    @EXAMPLES
    @given(DATATYPES, st.lists(st.integers(0, 3), min_size=1, max_size=2), st.integers(-2, 2), MODELS)
    def test_sizes_that_almost_fit(self, datatype: str, shape: list[int], lie: int, model: LoadedModel):
        width = {"BOOL": 1, "INT8": 1, "UINT8": 1, "FP16": 2, "FP32": 4, "BYTES": 4}.get(datatype, 8)
        size = max(0, int(np.prod(shape)) * width + lie)
        tensor = {"name": "a", "shape": shape, "datatype": datatype, "parameters": {"binary_data_size": size}}
        text = json.dumps({"inputs": [tensor]}).encode()
        check(InferBody(text + bytes(size), str(len(text))), model, render_v2_error)

    @given(st.binary(max_size=64), MODELS)
    def test_bodies_without_json(self, content: bytes, model: LoadedModel):
        check(InferBody(content, "0"), model, render_v2_error)


@pytest.mark.parametrize("model", models.ALL)
def test_the_smallest_bodies(model: LoadedModel):
    for body in (b"", b"{}", b"null", b'{"inputs": []}', b'{"inputs": {}}', b'{"instances": null}'):
        check(JsonRequest(body, MLFLOW), model, render_mlflow_error)
        check(InferBody(body, None), model, render_v2_error)
