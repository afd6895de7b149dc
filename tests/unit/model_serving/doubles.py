"""Loaded models whose predict function a test writes itself."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from mlflow.models import Model, ModelSignature
from mlflow.types.schema import ColSpec, Schema

from services.model_serving.engine.loaded_model import LoadedModel, LoadReport, ModelIdentity
from services.model_serving.signature import ModelInput, compile_signature

DECLARED = ModelSignature(inputs=Schema([ColSpec("double", "x")]))
INPUTS = [{"x": 1.0}]


def model_of(
    predict: Callable[[ModelInput, Any], Any] = lambda inputs, _: inputs.matrix,
    *,
    name: str = "model",
    version: str = "1",
    row_wise: bool = False,
    max_rows: int = 10,
    size: int = 0,
) -> LoadedModel:
    """Return a model with one column `x` that is said to take `size` bytes."""
    signature = compile_signature(Model(signature=DECLARED), max_rows=max_rows)
    identity = ModelIdentity(name, version, key="key", digest=None, run_id=None)
    report = LoadReport(datetime.now(UTC), seconds=0.0, size=size, path="pyfunc")
    return LoadedModel(identity, signature, DECLARED, None, predict, report, row_wise=row_wise, size=size)
