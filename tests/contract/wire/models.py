"""One model of each kind of signature, logged as a data scientist would."""

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import ModelSignature, infer_signature
from mlflow.types.schema import Array, ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

REQUIREMENTS = ["mlflow"]
PARAMS = ParamSchema([ParamSpec("k", DataType.long, 1)])
ECHO = """
import json
import mlflow
import numpy as np
import pandas as pd


class Echo(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        if isinstance(model_input, pd.DataFrame):
            shown = model_input.to_dict("list")
        elif isinstance(model_input, dict):
            shown = {name: np.asarray(value).tolist() for name, value in model_input.items()}
        else:
            shown = np.asarray(model_input).tolist()
        return [json.dumps([type(model_input).__name__, shown, params or None], default=str)]


mlflow.models.set_model(Echo())
"""
ANSWER = """
import mlflow
import numpy as np
import pandas as pd


class Answer(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        which = model_input["which"].iloc[0]
        if which == "frame":
            moments = pd.to_datetime(["2026-01-02", "2026-01-03"])
            return pd.DataFrame({"a": [1.5, np.nan], "b": ["x", None], "t": moments})
        if which == "series":
            return pd.Series([1, 2], name="s")
        if which == "numbers":
            return np.array([1e-5, 1e16, 0.1, -0.0, 123456789.125] * 20)
        if which == "plain numbers":
            return np.arange(300).reshape(100, 3) / 7
        if which == "float32":
            return np.linspace(0, 1, 100, dtype=np.float32)
        if which == "text":
            return np.array(["é", "b"])
        if which == "dict":
            return {"x": np.array([True, False]), "y": b"bytes", "z": [np.int64(3), np.datetime64("2026-01-02")]}
        if which == "scalar":
            return 3
        if which == "fault":
            raise KeyError("secret")
        return [{"a": 1, "ü": None}]


mlflow.models.set_model(Answer())
"""
MIRROR = """
import mlflow


class Mirror(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input


mlflow.models.set_model(Mirror())
"""


def log_models(makers: Mapping[str, Callable[[Path], str]], folder: Path) -> Mapping[str, str]:
    """Log models; return name → URI."""
    with warnings.catch_warnings():  # MLflow asks for input examples and type hints, and these models are about neither
        warnings.simplefilter("ignore", UserWarning)
        return {name: make(folder) for name, make in makers.items()}


def _code(script: str, *inputs: ColSpec | TensorSpec, params: ParamSchema | None = None) -> Callable[[Path], str]:
    def make(folder: Path) -> str:
        entry = folder / f"model{len(list(folder.glob('model*.py')))}.py"
        entry.write_text(dedent(script))
        signature = ModelSignature(inputs=Schema(list(inputs)), params=params) if inputs else None
        return _uri(
            mlflow.pyfunc.log_model(
                name="model", python_model=str(entry), signature=signature, pip_requirements=REQUIREMENTS
            )
        )

    return make


def _uri(logged: Any) -> str:
    return str(logged.model_uri)


def _logistic(_: Path) -> str:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(200, 30)), columns=[f"f{i}" for i in range(30)])
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(frame, frame["f0"] > 0)
    return _sklearn(model, frame, pyfunc_predict_fn="predict_proba")


def _linear(_: Path) -> str:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(50, 2)), columns=["a", "b"])
    return _sklearn(LinearRegression().fit(frame, frame["a"] * 3.3 + frame["b"] / 7), frame)


def _sklearn(model: Any, frame: pd.DataFrame, **options: Any) -> str:
    signature = infer_signature(frame, getattr(model, options.get("pyfunc_predict_fn", "predict"))(frame))
    return _uri(
        mlflow.sklearn.log_model(
            model,
            name="model",
            signature=signature,
            input_example=frame[:2],
            serialization_format="skops",
            pip_requirements=REQUIREMENTS,
            **options,
        )
    )


MODELS: Mapping[str, Callable[[Path], str]] = {
    "logistic": _logistic,
    "linear": _linear,
    "two": _code(ECHO, ColSpec("double", "a"), ColSpec("double", "b"), params=PARAMS),
    "typed": _code(
        ECHO,
        ColSpec("long", "n"),
        ColSpec("string", "s", required=False),
        ColSpec("boolean", "b", required=False),
        ColSpec("float", "f", required=False),
        ColSpec("datetime", "t", required=False),
    ),
    "lists": _code(ECHO, ColSpec(Array(DataType.long), "ids"), ColSpec("string", "s", required=False)),
    "prompt": _code(ECHO, ColSpec("string", "prompt"), params=PARAMS),
    "unnamed": _code(ECHO, ColSpec("double"), ColSpec("double")),
    "tensor": _code(ECHO, TensorSpec(np.dtype("float64"), (-1, 2))),
    "tensors": _code(ECHO, TensorSpec(np.dtype("float32"), (-1, 2), "x"), TensorSpec(np.dtype("int64"), (-1,), "y")),
    "undeclared": _code(ECHO),
    "answer": _code(ANSWER, ColSpec("string", "which")),
}
TENSOR_MODELS: Mapping[str, Callable[[Path], str]] = {
    "linear": _linear,
    "mirror": _code(
        MIRROR,
        ColSpec("double", "d"),
        ColSpec("float", "f"),
        ColSpec("long", "l"),
        ColSpec("integer", "i"),
        ColSpec("boolean", "b"),
        ColSpec("string", "s"),
        ColSpec("binary", "x"),
        ColSpec("datetime", "t"),
    ),
    "half": _code(MIRROR, TensorSpec(np.dtype("float16"), (-1, 3))),
    "image": _code(MIRROR, TensorSpec(np.dtype("uint8"), (-1, 2, 2), "image")),
    "pair": _code(MIRROR, TensorSpec(np.dtype("float32"), (-1, 2), "x"), TensorSpec(np.dtype("int64"), (-1,), "y")),
    "text": _code(MIRROR, ColSpec("string", "text")),
    "lists": MODELS["lists"],
    "undeclared": _code(MIRROR),
    "params": MODELS["two"],
}
