"""How strictly a caller's inputs are read."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class ReadPolicy:
    """What is done with inputs that do not quite fit.

    Attributes:
        unknown_columns: what happens to columns that the model does not have.
        coerce: convert numeric text to numbers and cut fractions off where an integer is declared, as MLflow's scoring
            server does.
    """

    unknown_columns: Literal["refuse", "drop"] = "refuse"
    coerce: bool = False


STRICT = ReadPolicy()
MLFLOW = ReadPolicy(unknown_columns="drop")
MLFLOW_COMPAT = ReadPolicy(unknown_columns="drop", coerce=True)
