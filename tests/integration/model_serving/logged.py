"""Small models, logged into MLflow as training would: each once in a test process, for as many versions as tests want.

What they are logged to is the server that MLflow is set to; its URL is an argument so that another one has its own.
"""

import sys
import tempfile
from functools import cache
from pathlib import Path
from textwrap import dedent
from typing import Any

import lightgbm
import mlflow
import numpy as np
import onnx
import pandas as pd
from mlflow.models import ModelSignature, infer_signature
from mlflow.types.schema import ColSpec, Schema
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from services.model_serving.loading.bundled_code import isolated

COLUMNS = ("a", "b", "c")
REQUIREMENTS = ["mlflow"]
"""Given, because MLflow takes seconds to find them out."""
COUNTER = """
    from mlflow.models import set_model
    from mlflow.pyfunc import PythonModel

    class Model(PythonModel):
        def predict(self, context, model_input, params=None):
            return [
                {"length": len(text), "share": text.count("a") / len(text), "words": text.split()}
                for text in model_input["text"]
            ]

    set_model(Model())
"""


def frame_of(rows: int, seed: int = 0) -> pd.DataFrame:
    """Return random inputs."""
    return pd.DataFrame(np.random.default_rng(seed).normal(size=(rows, len(COLUMNS))), columns=list(COLUMNS))


def records_of(frame: pd.DataFrame) -> list[dict[str, float]]:
    """Return inputs as a caller writes them."""
    return frame.to_dict("records")


@cache
def log_linear(_tracking_url: str, slope: float, options: tuple[tuple[str, Any], ...]) -> str:
    """Log `slope * a` as a scikit-learn model."""
    frame = frame_of(40)
    model = make_pipeline(StandardScaler(), LinearRegression()).fit(frame, slope * frame["a"])
    given = {"serialization_format": "skops", "input_example": frame[:2], **dict(options)}
    signature = infer_signature(frame, model.predict(frame))
    logged = mlflow.sklearn.log_model(model, name="model", signature=signature, pip_requirements=REQUIREMENTS, **given)
    return str(logged.model_uri)


@cache
def log_wide(_tracking_url: str) -> str:
    """Log a booster of more than 1 MB."""
    frame = frame_of(2000)
    return log_booster(frame, np.sin(frame["a"] * 9) * frame["b"], rounds=400, num_leaves=31, min_data_in_leaf=2)


@cache
def log_lightgbm(_tracking_url: str) -> str:
    """Log a small booster."""
    frame = frame_of(200)
    return log_booster(frame, frame["a"] * 2, rounds=10, objective="regression")


def log_booster(frame: pd.DataFrame, target: pd.Series, *, rounds: int, **parameters: Any) -> str:
    """Train a booster and log it in its native format."""
    settings = {"verbosity": -1, "num_threads": 1, "seed": 1, **parameters}
    booster = lightgbm.train(settings, lightgbm.Dataset(frame, target), rounds)
    signature = infer_signature(frame, booster.predict(frame))
    logged = mlflow.lightgbm.log_model(
        booster, name="model", signature=signature, input_example=frame[:2], pip_requirements=REQUIREMENTS
    )
    return str(logged.model_uri)


@cache
def log_onnx(_tracking_url: str) -> str:
    """Log a graph of one node."""
    rows = np.zeros((2, 3), dtype=np.float32)
    shape, kind = ["rows", 3], onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Add", ["x", "x"], ["y"])],
        "double",
        [onnx.helper.make_tensor_value_info("x", kind, shape)],
        [onnx.helper.make_tensor_value_info("y", kind, shape)],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    logged = mlflow.onnx.log_model(
        model, name="model", signature=infer_signature(rows, rows), pip_requirements=REQUIREMENTS
    )
    return str(logged.model_uri)


@cache
def log_code(
    _tracking_url: str, script: str, params: tuple[tuple[str, Any], ...] | None, modules: tuple[tuple[str, str], ...]
) -> str:
    """Log a models-from-code script."""
    frame = frame_of(3)
    with tempfile.TemporaryDirectory() as folder:
        entry = Path(folder) / "entry.py"
        entry.write_text(dedent(script))
        paths = []
        for module, content in modules:
            paths.append(Path(folder) / f"{module}.py")
            paths[-1].write_text(dedent(content))
        with isolated(frozenset(module for module, _ in modules)):  # MLflow imports what it logs
            sys.path.insert(0, folder)
            logged = mlflow.pyfunc.log_model(
                name="model",
                python_model=str(entry),
                code_paths=[str(path) for path in paths] or None,
                signature=infer_signature(frame, np.zeros(3), None if params is None else dict(params)),
                input_example=frame[:2],
                pip_requirements=REQUIREMENTS,
            )
    return str(logged.model_uri)


@cache
def log_counter(_tracking_url: str) -> str:
    """Log a model of texts."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "counter.py"
        script.write_text(dedent(COUNTER))
        logged = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(script),
            signature=ModelSignature(inputs=Schema([ColSpec("string", "text")])),
            input_example=pd.DataFrame({"text": ["a"]}),
            pip_requirements=REQUIREMENTS,
        )
    return str(logged.model_uri)
