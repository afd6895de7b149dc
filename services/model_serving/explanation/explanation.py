"""Contributions of columns to predictions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from services.model_serving.errors import NotExplainable
from services.model_serving.explanation.deadline import Deadline

Method: TypeAlias = Literal["tree_shap", "linear_shap"]
Unit: TypeAlias = Literal["prediction", "probability", "log_odds", "log", "margin"]
"""What base value and contributions add up to.

* prediction: the prediction itself
* probability: the probability of the class
* log_odds: its logit, of a binary classifier
* log: the logarithm of the prediction
* margin: the model's raw score, whatever it makes of it; of several classes mostly what goes into a softmax
"""
Background: TypeAlias = Literal["training", "reference_profile", "input_example"]
"""What a column is compared with: the training data as the trees counted it, or the mean over rows."""
Table: TypeAlias = pd.DataFrame | npt.NDArray[np.generic]
Label: TypeAlias = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """One for all rows of a call.

    Attributes:
        method: how it was computed.
        unit: what it adds up to.
        background: what it compares with.
        outputs: the class, or each class, that is explained; None for a model that does not classify.
        columns: names; positions where the columns have none.
        base_values: (outputs,) the mean over the background.
        contributions: (rows, columns, outputs).
    """

    method: Method
    unit: Unit
    background: Background
    outputs: Sequence[Label] | None
    columns: Sequence[str]
    base_values: npt.NDArray[np.float64]
    contributions: npt.NDArray[np.float64]

    def check(self, raw: npt.NDArray[np.float64], tolerance: float) -> None:
        """Check that base value and contributions of each row add up to what the model says.

        Args:
            raw: (rows, outputs) in this explanation's unit.
            tolerance: relative to the sum of what is added up, which may cancel out.

        Raises:
            NotExplainable: they do not.
        """
        if raw.shape != (len(self.contributions), len(self.base_values)):
            raise NotExplainable("scores in another form than its kind does")
        scale = np.abs(self.contributions).sum(axis=1) + np.abs(self.base_values) + np.abs(raw)
        gap = np.abs(self.contributions.sum(axis=1) + self.base_values - raw)
        if np.any(gap > tolerance * scale + np.finfo(np.float64).tiny):
            raise NotExplainable("is of a kind whose contributions do not add up to its predictions")

    def wire(self) -> dict[str, object]:
        """Return the form of the API: `contributions` by row and column; several outputs are a level between them."""
        single = len(self.base_values) == 1
        contributions = self.contributions[:, :, 0] if single else self.contributions.transpose(0, 2, 1)
        return {
            "method": self.method,
            "unit": self.unit,
            "background": self.background,
            "outputs": self.outputs,
            "columns": self.columns,
            "base_values": self.base_values,
            "contributions": np.ascontiguousarray(contributions),
        }


class Explainer(Protocol):
    """Explains one model. `explain` blocks and belongs in a thread.

    Attributes:
        outputs: how many values are explained for each row.
    """

    outputs: int

    def explain(self, table: Table, deadline: Deadline) -> Explanation:
        """Explain the predictions of the rows of a table.

        Raises:
            NotExplainable: this cannot be done after all.
            DeadlineExceeded: it took too long.
        """


def names_of(table: Table) -> list[str]:
    """Return the names of the columns, or their positions."""
    return list(map(str, table.columns if isinstance(table, pd.DataFrame) else range(table.shape[1])))
