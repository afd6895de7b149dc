"""How a loaded model is called: through MLflow, or past it where that is proven to answer the same.

`pyfunc.predict` enforces the signature a column at a time, some 2 ms for 30 columns. The inputs here have passed
:mod:`services.model_serving.signature` already, so the library's own predict function is called where it gives, on the
model's input example, the same answer to the last bit.
"""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import lightgbm
import numpy as np
import pandas as pd
from mlflow.pyfunc import PyFuncModel

from services.model_serving.loading.example import InputExample
from services.model_serving.signature import ModelInput, Signature

Predict: TypeAlias = Callable[[ModelInput, dict[str, object] | None], Any]
UNWRAPPED_LOADERS = frozenset({"mlflow.sklearn", "mlflow.lightgbm", "mlflow.xgboost"})
"""Flavors whose pyfunc adds nothing to the library's predict function but the enforcement."""


def choose_predict(
    model: PyFuncModel, signature: Signature, example: InputExample | None
) -> tuple[Predict, Literal["native", "pyfunc"]]:
    """Warm a model up on its input example, and find the shortest way to call it.

    Args:
        model: as MLflow loaded it.
        signature: what a caller's inputs are read with.
        example: what to predict; without one nothing is warm and nothing can be proven.

    Raises:
        InvalidInputs: the example does not fit the signature.
        Exception: whatever the model raises on its own example.
    """
    through_mlflow = _through_mlflow(model)
    if example is None:
        return through_mlflow, "pyfunc"
    inputs, params = signature.inputs.read(example.inputs), signature.parameters.read(example.params)
    answer = through_mlflow(inputs, params)
    native = None if signature.parameters.declared else _native(model)
    if native is None or not _equal(native(inputs, None), answer):
        return through_mlflow, "pyfunc"
    return native, "native"


def _through_mlflow(model: PyFuncModel) -> Predict:
    def predict(inputs: ModelInput, params: dict[str, object] | None) -> Any:  # noqa: ANN401 (a model may answer anything)
        return model.predict(inputs.data, params=params)

    return predict


def _native(model: PyFuncModel) -> Predict | None:
    if model.loader_module not in UNWRAPPED_LOADERS:
        return None
    raw = model.get_raw_model()
    if isinstance(raw, lightgbm.Booster):
        return _booster(raw)
    function = getattr(raw, model.metadata.flavors["python_function"].get("predict_fn", "predict"))

    def predict(inputs: ModelInput, params: dict[str, object] | None) -> Any:  # noqa: ANN401, ARG001 (the common form)
        return function(inputs.data)

    return predict


def _booster(booster: lightgbm.Booster) -> Predict:
    def predict(inputs: ModelInput, params: dict[str, object] | None) -> Any:  # noqa: ANN401, ARG001 (the common form)
        data = inputs.data if inputs.matrix is None else inputs.matrix
        return booster.predict(data, num_threads=1)

    return predict


def _equal(left: Any, right: Any) -> bool:  # noqa: ANN401 (a model may answer anything)
    if type(left) is not type(right):
        return False
    if isinstance(left, pd.DataFrame | pd.Series):
        return bool(left.equals(right))
    if isinstance(left, np.ndarray):
        return bool(left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes())
    return False
