"""Errors of libraries that are the fault of the inputs, and errors that are the model's."""

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from mlflow.models import ModelSignature
from mlflow.types.schema import Schema, TensorSpec

from services.model_serving.engine.batch import Request, score
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.errors import InputsRefused
from services.model_serving.flavors.refusal import Refusal
from services.model_serving.traffic.tally import Outcome, outcome_of
from tests.unit.model_serving.saved import load

ORT, TORCH = "onnxruntime", "torch"
WORDS = 5


def declared(*specs: tuple[str | None, type, tuple[int, ...]]) -> ModelSignature:
    return ModelSignature(Schema([TensorSpec(np.dtype(kind), shape, name) for name, kind, shape in specs]))


def ask(model: LoadedModel, *inputs: object) -> list[Any]:
    """Score requests in one call, as the engine does when they wait together."""
    return score(model, [Request(model.signature.inputs.read(each), None) for each in inputs])


def refused(model: LoadedModel, inputs: object) -> str:
    (outcome,) = ask(model, inputs)
    assert isinstance(outcome, InputsRefused), outcome
    assert outcome_of(outcome) is Outcome.REFUSED
    return outcome.detail


class TestPyTorch:
    """Exported programs, whose signatures leave open what they compute with."""

    @pytest.fixture(scope="class")
    @staticmethod
    def words(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
        torch = pytest.importorskip(TORCH, reason="the extra `flavors` is not installed")

        class Bag(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.vectors = torch.nn.Embedding(WORDS, 3)

            def forward(self, words: Any) -> Any:
                return self.vectors(words).max(1).values

        folder = tmp_path_factory.mktemp("words") / "m"
        mlflow.pytorch.save_model(
            Bag().eval(),
            folder,
            signature=declared((None, np.int64, (-1, -1))),
            input_example=np.array([[1, 2, 3], [3, 4, 0]]),
            serialization_format="pt2",
            pip_requirements=["mlflow"],
        )
        return load(folder)

    def test_an_index_outside_of_the_vocabulary(self, words: LoadedModel) -> None:
        assert "IndexError: index out of range in self" in refused(words, [[1, 2, WORDS]])

    def test_a_row_of_nothing(self, words: LoadedModel) -> None:
        assert "non-zero size" in refused(words, [[], []])

    def test_only_the_caller_who_sent_them_is_refused(self, words: LoadedModel) -> None:
        good, bad, other = ask(words, [[1, 2, 3]], [[1, 2, WORDS]], [[0, 0, 0]])
        assert (good.shape, other.shape) == ((1, 3), (1, 3))
        assert isinstance(bad, InputsRefused)

    def test_a_model_that_does_not_answer_its_example_any_more_is_broken(self, words: LoadedModel) -> None:
        def predict(*_: Any) -> Any:
            raise RuntimeError("the parameters are gone")

        given = words.signature.inputs.read([[1, 2, 3]])
        assert Refusal(str, predict, given, None)(RuntimeError("the parameters are gone")) is None
        assert Refusal(str, words.predict, given, None)(RuntimeError("odd")) == "odd"

    def test_no_memory_is_not_the_fault_of_the_inputs(self, words: LoadedModel) -> None:
        torch = pytest.importorskip(TORCH, reason="the extra `flavors` is not installed")
        with pytest.raises(RuntimeError) as caught:
            torch.empty(10**14)
        assert words.refusal(caught.value) is None
        assert words.refusal(torch.OutOfMemoryError("out of memory")) is None
        assert words.refusal(NotImplementedError("could not run aten::x")) is None
        assert words.refusal(KeyError("x")) is None


class TestOnnx:
    """Graphs with open dimensions."""

    @staticmethod
    def saved(folder: Path, nodes: list[Any], inputs: list[Any], table: Any, example: dict[str, Any]) -> LoadedModel:
        onnx = pytest.importorskip("onnx", reason="the extra `flavors` is not installed")
        pytest.importorskip(ORT, reason="the extra `flavors` is not installed")
        helper = onnx.helper
        kinds = {np.dtype(np.float32): onnx.TensorProto.FLOAT, np.dtype(np.int64): onnx.TensorProto.INT64}
        graph = helper.make_graph(
            [helper.make_node(*node) for node in nodes],
            "graph",
            [helper.make_tensor_value_info(name, kinds[np.dtype(kind)], shape) for name, kind, shape in inputs],
            [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
            [onnx.numpy_helper.from_array(table, "table")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        sizes = [(name, kind, tuple(-1 for _ in shape)) for name, kind, shape in inputs]
        mlflow.onnx.save_model(
            model, folder, signature=declared(*sizes), input_example=example, pip_requirements=["mlflow"]
        )
        return load(folder)

    def test_an_index_outside_of_the_table(self, tmp_path: Path) -> None:
        nodes, example = [("Gather", ["table", "i"], ["y"])], {"i": np.array([1, 2])}
        table = np.ones((WORDS, 3), np.float32)
        model = self.saved(tmp_path / "m", nodes, [("i", np.int64, ["n"])], table, example)
        assert "indices element out of data bounds, must be within" in refused(model, {"i": [4711]})
        assert "4711" not in refused(model, {"i": [4711]})

    @pytest.mark.parametrize("columns", [3, 0])
    def test_an_open_dimension_that_does_not_fit(self, tmp_path: Path, columns: int) -> None:
        table = np.ones((WORDS, 3), np.float32)
        model = self.saved(
            tmp_path / "m",
            [("MatMul", ["x", "table"], ["y"])],
            [("x", np.float32, ["n", "columns"])],
            table,
            {"x": np.ones((2, WORDS), np.float32)},
        )
        assert "Fail: Compute MatMul dimension mismatch" in refused(model, {"x": [[1.0] * columns] * 2})

    def test_two_open_dimensions_that_do_not_go_together(self, tmp_path: Path) -> None:
        both = np.ones((2, 3), np.float32)
        model = self.saved(
            tmp_path / "m",
            [("Mul", ["left", "right"], ["z"]), ("Add", ["z", "table"], ["y"])],
            [("left", np.float32, ["n", "a"]), ("right", np.float32, ["n", "b"])],
            np.ones(1, np.float32),
            {"left": both, "right": both},
        )
        said = refused(model, {"left": [[1.0, 2.0, 3.0]], "right": [[1.0, 2.0]]})
        assert "Attempting to broadcast an axis by a dimension other than 1" in said
        assert "/" not in said


class TestLightGBM:
    """A booster whose signature says nothing of its width."""

    def test_another_number_of_features(self, tmp_path: Path) -> None:
        lightgbm = pytest.importorskip("lightgbm")
        table = np.random.default_rng(1).normal(size=(200, 4))
        options = {"num_leaves": 4, "verbosity": -1}
        booster = lightgbm.train(options, lightgbm.Dataset(table, table[:, 0]), num_boost_round=2)
        signature = declared((None, np.float64, (-1, -1)))
        example = table[:2]
        mlflow.lightgbm.save_model(
            booster, tmp_path / "m", signature=signature, input_example=example, pip_requirements=["mlflow"]
        )
        said = refused(load(tmp_path / "m"), [[1.0, 2.0, 3.0]])
        assert "number of features in data (3)" in said
