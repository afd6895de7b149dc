"""Logs small models into MLflow as training would, and moves their production alias."""

import sys
import tempfile
from dataclasses import dataclass
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

from mlplatform.registry import tags
from mlplatform.registry.model_version import ModelVersion
from mlplatform.registry.register import register_model_version
from mlplatform.registry.registry import Registry
from mlplatform.registry.stages import PRODUCTION
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

CLASSIFIER = """
    from mlflow.models import set_model
    from mlflow.pyfunc import PythonModel

    class Model(PythonModel):
        def predict(self, context, model_input, params=None):
            shares = (model_input["a"] * params["scale"]).clip(0, 1)
            return [{"label": "high" if one > 0.5 else "low", "confidence": max(one, 1 - one)} for one in shares]

    set_model(Model())
"""

NOTING = """
    import time
    from mlflow.models import set_model
    from mlflow.pyfunc import PythonModel

    class Model(PythonModel):
        def predict(self, context, model_input, params=None):
            with open({notes!r}, "a") as notes:
                # the model is tried with its example too
                notes.writelines(f"{{value:g}}\\n" for value in model_input["a"] if value >= 100)
            time.sleep({seconds} * len(model_input))
            return model_input["a"] * 2

    set_model(Model())
"""

GATED = """
    import os, time
    from mlflow.models import set_model
    from mlflow.pyfunc import PythonModel

    class Model(PythonModel):
        def predict(self, context, model_input, params=None):
            for value in model_input["a"]:
                if value < 100:  # the model is tried with its example too
                    continue
                with open(f"{gates}/begun", "a") as begun:
                    begun.write(f"{{value:g}} {{os.getpid()}}\\n")
                while not os.path.exists(f"{gates}/{{value:g}}"):
                    time.sleep(0.01)
            return model_input["a"] * 2

    set_model(Model())
"""


@dataclass(frozen=True)
class Publisher:
    """The registry of one test, and the model it is about."""

    registry: Registry
    name: str

    def linear(
        self, slope: float = 1.0, *, name: str | None = None, served_by: str | None = None, **options: Any
    ) -> ModelVersion:
        """Register `slope * a` as a scikit-learn model, in skops format with an input example unless told."""
        uri = log_linear(self.registry.tracking_url, slope, tuple(options.items()))
        return self.register(uri, name=name, served_by=served_by)

    def wide(self, *, name: str | None = None) -> ModelVersion:
        """Register a booster of more than 1 MB, many times what `linear` takes."""
        frame = frame_of(2000)
        parameters = {"verbosity": -1, "num_threads": 1, "seed": 1, "num_leaves": 31, "min_data_in_leaf": 2}
        booster = lightgbm.train(parameters, lightgbm.Dataset(frame, np.sin(frame["a"] * 9) * frame["b"]), 400)
        signature = infer_signature(frame, booster.predict(frame))
        logged = mlflow.lightgbm.log_model(
            booster, name="model", signature=signature, input_example=frame[:2], pip_requirements=REQUIREMENTS
        )
        return self.register(logged.model_uri, name=name)

    def onnx(self, *, name: str | None = None) -> ModelVersion:
        """Register a graph of one node that doubles a tensor of three columns."""
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
        return self.register(logged.model_uri, name=name)

    def lightgbm(self) -> ModelVersion:
        """Register a LightGBM booster in its native format."""
        frame = frame_of(200)
        parameters = {"verbosity": -1, "num_threads": 1, "seed": 1, "objective": "regression"}
        booster = lightgbm.train(parameters, lightgbm.Dataset(frame, frame["a"] * 2), 10)
        signature = infer_signature(frame, booster.predict(frame))
        logged = mlflow.lightgbm.log_model(
            booster, name="model", signature=signature, input_example=frame[:2], pip_requirements=REQUIREMENTS
        )
        return self.register(logged.model_uri)

    def noting(self, notes: Path, *, seconds: float) -> ModelVersion:
        """Register a model that takes so long for each row, and adds its `a` from 100 on to a file."""
        return self.code(NOTING.format(notes=str(notes), seconds=seconds))

    def gated(self, gates: Path) -> ModelVersion:
        """Register a model that takes rows with an `a` from 100 on once there is a file of that name in a folder.

        `begun` in it names those that it took up, each with the process.
        """
        gates.mkdir()
        (gates / "begun").touch()
        return self.code(GATED.format(gates=gates))

    def classifier(self) -> ModelVersion:
        """Register a model that says how sure it is: of `high` as `a` times the parameter `scale`, else of `low`."""
        return self.code(CLASSIFIER, params={"scale": 1.0})

    def code(
        self, script: str, *, name: str | None = None, params: dict[str, Any] | None = None, **modules: str
    ) -> ModelVersion:
        """Register a models-from-code script with bundled modules; its `predict` takes the columns of `COLUMNS`.

        Args:
            script: The code.
            name: Of the model.
            params: Parameters that it declares, with their defaults.
            modules: Their code by their name.
        """
        frame = frame_of(3)
        with tempfile.TemporaryDirectory() as folder:
            entry = Path(folder) / "entry.py"
            entry.write_text(dedent(script))
            paths = [Path(folder) / f"{module}.py" for module in modules]
            for path in paths:
                path.write_text(dedent(modules[path.stem]))
            with isolated(frozenset(modules)):  # MLflow imports what it logs
                sys.path.insert(0, folder)
                logged = mlflow.pyfunc.log_model(
                    name="model",
                    python_model=str(entry),
                    code_paths=[str(path) for path in paths] or None,
                    signature=infer_signature(frame, np.zeros(3), params),
                    input_example=frame[:2],
                    pip_requirements=REQUIREMENTS,
                )
        return self.register(logged.model_uri, name=name)

    def counter(self, *, name: str | None = None) -> ModelVersion:
        """Register a model that answers each text with an object: `length`, `share` of the letter a, and `words`."""
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
        return self.register(logged.model_uri, name=name)

    def register(self, uri: str, *, name: str | None = None, served_by: str | None = None) -> ModelVersion:
        """Register a logged model."""
        model_tags = {} if served_by is None else {tags.SERVED_BY: served_by}
        return register_model_version(self.registry, name or self.name, uri, model_tags=model_tags)

    def promote(self, version: ModelVersion) -> None:
        """Point the production alias at a version."""
        self.registry.set_alias(version.name, PRODUCTION, version.version)

    def pyfunc(self, version: ModelVersion, data: Any) -> Any:
        """Ask MLflow itself."""
        return mlflow.pyfunc.load_model(f"models:/{version.name}/{version.version}").predict(data)


@cache
def log_linear(_tracking_url: str, slope: float, options: tuple[tuple[str, Any], ...]) -> str:
    """Log `slope * a` once in a test process, for as many versions as tests register of it."""
    frame = frame_of(40)
    model = make_pipeline(StandardScaler(), LinearRegression()).fit(frame, slope * frame["a"])
    given = {"serialization_format": "skops", "input_example": frame[:2], **dict(options)}
    signature = infer_signature(frame, model.predict(frame))
    logged = mlflow.sklearn.log_model(model, name="model", signature=signature, pip_requirements=REQUIREMENTS, **given)
    return str(logged.model_uri)


def frame_of(rows: int, seed: int = 0) -> pd.DataFrame:
    """Return random inputs."""
    return pd.DataFrame(np.random.default_rng(seed).normal(size=(rows, len(COLUMNS))), columns=list(COLUMNS))


def records_of(frame: pd.DataFrame) -> list[dict[str, float]]:
    """Return inputs as a caller writes them."""
    return frame.to_dict("records")
