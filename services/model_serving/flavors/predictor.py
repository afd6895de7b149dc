"""What a library's file in this package offers, and what comes of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from mlflow.models import Model
from mlflow.pyfunc import PyFuncModel

from services.model_serving.signature import ModelInput

Predict: TypeAlias = Callable[[ModelInput, dict[str, object] | None], Any]
CallPath: TypeAlias = Literal["native", "pyfunc"]
Says: TypeAlias = Callable[[BaseException], str | None]
"""From an error to what was found wrong with inputs, in a line; None when inputs do not cause such an error."""


@dataclass(frozen=True, slots=True)
class Source:
    """A model as MLflow loaded it.

    Attributes:
        pyfunc: MLflow's form of it.
        folder: its artifacts.
        description: the content of its `MLmodel` file.
    """

    pyfunc: PyFuncModel
    folder: Path
    description: Model

    @property
    def raw(self) -> Any:  # noqa: ANN401 (an object of the library)
        """The library's own object."""
        return self.pyfunc.get_raw_model()

    @property
    def function(self) -> str:
        """Name of the method that MLflow calls."""
        return str(self.description.flavors["python_function"].get("predict_fn", "predict"))

    def options(self, flavor: str) -> dict[str, Any]:
        """Return what the `MLmodel` file says about a library."""
        return dict(self.description.flavors.get(flavor, {}))


@dataclass(frozen=True, slots=True)
class Candidate:
    """A way to call a model that may answer as `pyfunc.predict` does; it is used only when that is proven.

    Attributes:
        name: what is called, for an operator to read.
        predict: the call.
        tolerance: how far floats may be from MLflow's, relative to the largest of the answer; 0 asks for every bit.
        takes_params: whether it passes on the parameters of a call.
    """

    name: str
    predict: Predict
    tolerance: float = 0.0
    takes_params: bool = False


@dataclass(frozen=True, slots=True)
class Chosen:
    """How a loaded model is called.

    Attributes:
        predict: the call.
        path: past MLflow, or through it.
        row_wise: whether rows of several callers may be scored in one call.
        flavor: the library.
        reason: why this path.
        row_wise_reason: why rows may or may not be put together.
        refusal: says what is wrong with inputs that it raised an error for; None when it is broken.
    """

    predict: Predict
    path: CallPath
    row_wise: bool
    flavor: str
    reason: str
    row_wise_reason: str
    refusal: Says


def without_enforcement(source: Source) -> Candidate:
    """Call MLflow's wrapper of the library, past the check of the signature, which the reader has made already."""
    wrapper = source.pyfunc._model_impl  # noqa: SLF001 (MLflow calls it "a stable developer API")
    function = getattr(wrapper, source.function)

    def predict(inputs: ModelInput, params: dict[str, object] | None) -> Any:  # noqa: ANN401 (a model may answer anything)
        return function(inputs.data) if params is None else function(inputs.data, params=params)

    return Candidate(f"{type(wrapper).__name__}.{source.function}", predict, takes_params=True)
