"""Models of each kind of signature, without anything to load."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
from mlflow.models import Model, ModelSignature
from mlflow.types.schema import Array, ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec

from services.model_serving.engine.loaded_model import LoadedModel, LoadReport, ModelIdentity
from services.model_serving.signature import compile_signature

MAX_ROWS = 1000
PARAMS = ParamSchema([ParamSpec("k", DataType.long, 1)])


def model_of(*specs: ColSpec | TensorSpec, params: ParamSchema | None = None, outputs: Any = None) -> LoadedModel:
    """Return a model that takes columns or tensors; one without a signature for none."""
    declared = ModelSignature(inputs=Schema(list(specs)), outputs=outputs, params=params) if specs else None
    signature = compile_signature(Model(signature=declared), max_rows=MAX_ROWS)
    identity = ModelIdentity("model", "1", key="key", digest=None, run_id=None)
    report = LoadReport(datetime.now(UTC), seconds=0.0, size=0, path="pyfunc")
    return LoadedModel(identity, signature, declared, None, lambda given, _: given.data, report)


TWO = model_of(ColSpec("double", "a"), ColSpec("double", "b"), params=PARAMS)
TYPED = model_of(
    ColSpec("long", "n"),
    ColSpec("string", "s", required=False),
    ColSpec("boolean", "b", required=False),
    ColSpec("float", "f", required=False),
    ColSpec("datetime", "t", required=False),
    ColSpec("binary", "x", required=False),
    ColSpec(Array(DataType.long), "ids", required=False),
)
PROMPT = model_of(ColSpec("string", "prompt"), params=PARAMS)
UNNAMED = model_of(ColSpec("double"), ColSpec("double"))
TENSOR = model_of(TensorSpec(np.dtype("float64"), (-1, 2)))
TENSORS = model_of(TensorSpec(np.dtype("float32"), (-1, 2), "x"), TensorSpec(np.dtype("int64"), (-1,), "y"))
UNDECLARED = model_of()
ALL = [TWO, TYPED, PROMPT, UNNAMED, TENSOR, TENSORS, UNDECLARED]
