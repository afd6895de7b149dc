"""Inputs that were read for one version, as another version takes them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from services.model_serving.calls import Served
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.signature import ModelInput


def inputs_for(model: LoadedModel, served: Served, given: ModelInput) -> ModelInput:
    """Return the inputs of a call for another version, in memory of their own.

    Of its own, since a model may write into what it is given, and others still read the original.

    Raises:
        InvalidInputs: they do not fit the version's signature.
    """
    if model.declared == served.loaded.declared:
        return _copy(given)
    return model.signature.inputs.read_arrays(_arrays(given.data))


def _copy(given: ModelInput) -> ModelInput:
    if given.matrix is not None:
        return ModelInput.of_matrix(given.matrix.copy(), given.data.columns)
    data = given.data
    if isinstance(data, pd.DataFrame | np.ndarray):
        return ModelInput(data.copy(), given.rows)
    if isinstance(data, dict):
        return ModelInput({name: np.array(array) for name, array in data.items()}, given.rows)
    return ModelInput(data, given.rows)


def _arrays(data: Any) -> Mapping[str, Any] | Any:  # noqa: ANN401 (whatever a model may be called with)
    if isinstance(data, pd.DataFrame):
        return {str(name): data[name].to_numpy() for name in data.columns}
    return data if isinstance(data, dict | np.ndarray) else np.asarray(data)
