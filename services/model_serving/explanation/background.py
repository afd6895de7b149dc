"""The rows that a linear model's columns are compared with."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.errors import NotExplainable
from services.model_serving.explanation.explanation import Background, Table


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of the training data.

    Attributes:
        table: as a caller would send them.
        source: where they are from.
    """

    table: Table
    source: Background


def background_of(model: LoadedModel) -> Rows:
    """Return the rows of the model's input example.

    Raises:
        NotExplainable: it has none.
    """
    if model.example is not None:
        table = model.signature.inputs.read(model.example.inputs).data
        if isinstance(table, pd.DataFrame | np.ndarray) and len(table):
            return Rows(table, "input_example")
    raise NotExplainable("was logged without an input example, which a linear model's columns are compared with")
