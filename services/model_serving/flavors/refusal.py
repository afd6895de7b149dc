"""Whose fault it is when a model raises: that of the inputs, or its own.

A signature cannot say everything: not how large a vocabulary is, nor that two open dimensions must be equal. What
breaks such a rule gets past the check of the inputs and fails inside the library, which has one class of error for
this and for a fault of its own. Two things must come together before the inputs are blamed: the library's file in this
package knows the error as one that inputs can cause, and the model still answers its own input example. A model without
an example, and one that does not answer it any more, is broken.
"""

from copy import deepcopy

from services.model_serving.flavors.predictor import Predict, Says
from services.model_serving.signature import ModelInput


def says_nothing(_error: BaseException) -> str | None:
    """Know no error of inputs."""
    return None


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text."""
    return str(error).strip().partition("\n")[0].rstrip(". ")


class Refusal:
    """Decides whose fault an error is; blocks.

    Args:
        says: what the library knows of its errors.
        predict: calls the model.
        inputs: its example, which it answered when it was loaded.
        params: those of the example.
    """

    def __init__(self, says: Says, predict: Predict, inputs: ModelInput, params: dict[str, object] | None) -> None:
        self._says = says
        self._predict = predict
        self._inputs = inputs
        self._params = params

    def __call__(self, error: BaseException) -> str | None:
        """Say what is wrong with the inputs; None when the model is broken."""
        found = self._says(error)
        return found if found is not None and self._still_answers() else None

    def _still_answers(self) -> bool:
        try:
            self._predict(deepcopy(self._inputs), self._params)  # a model may write into what it is given
        except Exception:  # noqa: BLE001 (a model's code may raise anything)
            return False
        return True
