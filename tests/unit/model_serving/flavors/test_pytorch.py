"""PyTorch: exported programs, and pickled modules where an operator allows them."""

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import mlflow
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow.models import ModelSignature
from mlflow.types.schema import ColSpec, Schema, TensorSpec

from tests.unit.model_serving.flavors.comparing import COLUMNS, Pair, Sent, pair, tables, training_data

torch = pytest.importorskip("torch", reason="the extra `flavors` is not installed")

# MLflow's own wrapper hands PyTorch what pandas 3 protects against writing.
pytestmark = pytest.mark.filterwarnings("ignore:The given NumPy array is not writable:UserWarning")
X, _ = training_data()
EXAMPLE = np.array(X.head(4), dtype=np.float32, order="C")
THREADS = """
from services.model_serving.process import prepare_process
prepare_process()
import torch
print(torch.get_num_threads())
"""


def module() -> Any:
    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Dropout(0.5), torch.nn.Linear(8, 2))


def tensor_signature() -> ModelSignature:
    return ModelSignature(Schema([TensorSpec(np.dtype(np.float32), (-1, 4))]))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    folder = tmp_path_factory.mktemp("exported") / "m"
    mlflow.pytorch.save_model(
        module().eval(),
        folder,
        signature=tensor_signature(),
        input_example=EXAMPLE,
        serialization_format="pt2",
        pip_requirements=["mlflow"],
    )
    return pair(folder)


@pytest.fixture(scope="module")
def pickled(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Pair]:
    folder = tmp_path_factory.mktemp("pickled")
    doubles = ModelSignature(Schema([ColSpec("double", name) for name in COLUMNS]))
    for name, signature, example in (("table", doubles, X.head(3)), ("tensor", tensor_signature(), EXAMPLE)):
        mlflow.pytorch.save_model(
            module(),
            folder / name,
            signature=signature,
            input_example=example,
            serialization_format="pickle",
            pip_requirements=["mlflow"],
        )
    return {name: pair(folder / name, serving_allow_pickle=("model",)) for name in ("table", "tensor")}


def arrays() -> st.SearchStrategy[npt.NDArray[np.float32]]:
    value = st.floats(-1e3, 1e3, width=32, allow_subnormal=False) | st.just(float("nan"))
    row = st.lists(value, min_size=4, max_size=4)
    return st.lists(row, min_size=1, max_size=6).map(lambda rows: np.array(rows, dtype=np.float32))


class TestEquality:
    @given(array=arrays())
    @settings(max_examples=40, deadline=None)
    def test_an_exported_program(self, exported: Pair, array: npt.NDArray[np.float32]) -> None:
        exported.check(array.tolist(), array)

    @given(array=arrays())
    @settings(max_examples=20, deadline=None)
    def test_a_module_on_tensors(self, pickled: Mapping[str, Pair], array: npt.NDArray[np.float32]) -> None:
        pickled["tensor"].check(array.tolist(), array)

    @given(data=st.data())
    @settings(max_examples=40, deadline=None)
    def test_a_module_on_tables(self, pickled: Mapping[str, Pair], data: st.DataObject) -> None:
        sent: Sent = data.draw(tables(dict.fromkeys(COLUMNS, np.float64)))
        pickled["table"].check(sent.body, sent.frame)

    @given(array=arrays())
    @settings(max_examples=20, deadline=None)
    def test_rows_are_answered_together_as_alone(self, exported: Pair, array: npt.NDArray[np.float32]) -> None:
        exported.check_rows(np.nan_to_num(array).tolist())


class TestPath:
    def test_pandas_is_passed_by(self, exported: Pair, pickled: Mapping[str, Pair]) -> None:
        for loaded in (exported, *pickled.values()):
            assert "in inference mode equals MLflow to the last bit" in loaded.served.report.path_reason
            assert loaded.served.row_wise

    def test_an_array_that_may_not_be_written_to_is_taken(self, exported: Pair) -> None:
        array = EXAMPLE.copy()
        array.flags.writeable = False
        given_array = exported.served.signature.inputs.read_arrays(array)
        np.testing.assert_array_equal(exported.served.predict(given_array, None), exported.reference.predict(EXAMPLE))

    def test_a_serving_process_computes_with_one_thread(self) -> None:
        done = subprocess.run([sys.executable, "-c", THREADS], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "1"
