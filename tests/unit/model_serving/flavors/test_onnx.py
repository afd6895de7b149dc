"""ONNX: graphs on a session of one thread, with one or several tensors in and out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow.models import ModelSignature
from mlflow.types.schema import ColSpec, Schema, TensorSpec

from services.model_serving.flavors.answers import difference
from tests.unit.model_serving.flavors.comparing import COLUMNS, Pair, Sent, pair, tables, training_data

onnx = pytest.importorskip("onnx", reason="the extra `flavors` is not installed")
pytest.importorskip("onnxruntime", reason="the extra `flavors` is not installed")

TOLERANCE = 1e-6
X, _ = training_data()
RANDOM = np.random.default_rng(3)
INNER = RANDOM.normal(size=(4, 8)).astype(np.float32)
OUTER = RANDOM.normal(size=(8, 1)).astype(np.float32)


def network(batch: str | int = "rows") -> Any:
    """Two layers, with two outputs."""
    helper, single = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "inner"], ["hidden"]),
            helper.make_node("Relu", ["hidden"], ["active"]),
            helper.make_node("MatMul", ["active", "outer"], ["score"]),
            helper.make_node("Sigmoid", ["score"], ["chance"]),
        ],
        "network",
        [helper.make_tensor_value_info("x", single, [batch, 4])],
        [helper.make_tensor_value_info(name, single, [batch, 1]) for name in ("score", "chance")],
        [onnx.numpy_helper.from_array(INNER, "inner"), onnx.numpy_helper.from_array(OUTER, "outer")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def product() -> Any:
    """Two inputs of one row each."""
    helper, single = onnx.helper, onnx.TensorProto.FLOAT
    inputs = [helper.make_tensor_value_info(name, single, ["rows"]) for name in ("left", "right")]
    output = helper.make_tensor_value_info("product", single, ["rows"])
    graph = helper.make_graph([helper.make_node("Mul", ["left", "right"], ["product"])], "product", inputs, [output])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def save(folder: Path, model: Any, signature: ModelSignature, example: Any, **options: Any) -> Pair:
    mlflow.onnx.save_model(
        model, folder, signature=signature, input_example=example, pip_requirements=["mlflow"], **options
    )
    return pair(folder)


def tensors(*specs: tuple[str | None, tuple[int, ...]]) -> ModelSignature:
    return ModelSignature(Schema([TensorSpec(np.dtype(np.float32), shape, name) for name, shape in specs]))


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Pair]:
    folder = tmp_path_factory.mktemp("onnx")
    numbers = X.head(3).to_numpy(dtype=np.float32)
    doubles = ModelSignature(Schema([ColSpec("double", name) for name in COLUMNS]))
    return {
        "table": save(folder / "table", network(), doubles, X.head(3)),
        "tensor": save(folder / "tensor", network(), tensors(("x", (-1, 4))), {"x": numbers}),
        "nameless": save(folder / "nameless", network(), tensors((None, (-1, 4))), numbers),
        "two tensors": save(
            folder / "two tensors",
            product(),
            tensors(("left", (-1,)), ("right", (-1,))),
            {"left": numbers[:, 0], "right": numbers[:, 1]},
        ),
        "one row": save(folder / "one row", network(1), tensors(("x", (-1, 4))), {"x": numbers[:1]}),
    }


def arrays() -> st.SearchStrategy[npt.NDArray[np.float32]]:
    value = st.floats(-1e3, 1e3, width=32, allow_subnormal=False)
    row = st.lists(value, min_size=4, max_size=4)
    return st.lists(row, min_size=1, max_size=6).map(lambda rows: np.array(rows, dtype=np.float32))


class TestEquality:
    @given(data=st.data())
    @settings(max_examples=40, deadline=None)
    def test_a_table(self, pairs: Mapping[str, Pair], data: st.DataObject) -> None:
        sent: Sent = data.draw(tables(dict.fromkeys(COLUMNS, np.float64)))
        pairs["table"].check(sent.body, sent.frame, TOLERANCE)

    @given(array=arrays())
    @settings(max_examples=40, deadline=None)
    def test_tensors(self, pairs: Mapping[str, Pair], array: npt.NDArray[np.float32]) -> None:
        rows = array.tolist()
        pairs["tensor"].check({"x": rows}, {"x": array}, TOLERANCE)
        pairs["nameless"].check(rows, array, TOLERANCE)
        left, right = array[:, 0], array[:, 1]
        pairs["two tensors"].check(
            {"right": right.tolist(), "left": left.tolist()}, {"left": left, "right": right}, TOLERANCE
        )

    @given(array=arrays())
    @settings(max_examples=20, deadline=None)
    def test_rows_are_answered_together_as_alone(
        self, pairs: Mapping[str, Pair], array: npt.NDArray[np.float32]
    ) -> None:
        pairs["tensor"].check_rows({"x": array.tolist()})
        pairs["table"].check_rows(array.tolist())


class TestPath:
    @pytest.mark.parametrize("name", ["table", "tensor", "nameless", "two tensors", "one row"])
    def test_a_session_of_one_thread_is_used(self, pairs: Mapping[str, Pair], name: str) -> None:
        assert pairs[name].served.report.path_reason.startswith("a session of one thread equals MLflow within 1e-06")

    def test_all_outputs_are_answered(self, pairs: Mapping[str, Pair]) -> None:
        served = pairs["tensor"].served
        answer = served.predict(served.signature.inputs.read({"x": [[1, 2, 3, 4]]}), None)
        assert list(answer) == ["score", "chance"]

    def test_a_graph_of_a_fixed_batch_is_not_row_wise(self, pairs: Mapping[str, Pair]) -> None:
        report = pairs["one row"].served.report
        assert not pairs["one row"].served.row_wise
        assert report.row_wise_reason.startswith("several rows raise")

    @pytest.mark.parametrize("name", ["table", "tensor", "nameless", "two tensors"])
    def test_a_graph_of_any_batch_is(self, pairs: Mapping[str, Pair], name: str) -> None:
        assert pairs[name].served.row_wise

    def test_the_session_options_of_the_model_hold(self, tmp_path: Path) -> None:
        options = {"intra_op_num_threads": 2, "graph_optimization_level": 1}
        numbers = X.head(3).to_numpy(dtype=np.float32)
        served = save(tmp_path / "m", network(), tensors((None, (-1, 4))), numbers, onnx_session_options=options).served
        assert served.report.path == "native"


def test_an_answer_of_frames_is_compared_by_column() -> None:
    left = pd.DataFrame({"score": np.array([1.0], dtype=np.float32)})
    assert difference(left, left + np.float32(1e-3), TOLERANCE) == "other values"
