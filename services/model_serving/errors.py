"""What can go wrong between a request and a model's answer.

* PlatformError
  + NotFound
    x ExampleMissing         404  the version was logged without an input example
  + Unprocessable
    x InvalidInputs          422  the inputs do not fit the model's signature
    x InputsRefused          422  they fit, and the model itself cannot score them
    x NotExplainable         422  its predictions cannot be explained
  + InternalError
    x ModelFailedError       500  the model broke on valid inputs, or answered what JSON cannot say
  + ModelNotLoadedError      503  it exists and is not ready; Retry-After says when to come back
* LoadError                       why a version was not loaded: readiness, metrics and the probe say it
  + UnsafeModelError              loading it would run code that the policy does not allow
"""

from collections.abc import Sequence

from mlplatform.errors import FieldError, InternalError, NotFound, PlatformError, Unprocessable

REASON_LENGTH = 500
EXPLAINABLE = (
    "Explained are LightGBM's and XGBoost's trees, and scikit-learn's trees, forests, gradient boosting and linear "
    "models, also at the end of a Pipeline whose steps scale, encode, impute or select columns."
)


class ExampleMissing(NotFound):
    """The version exists and has no input example."""

    code = "example_missing"


class InvalidInputs(Unprocessable):
    """The inputs do not fit the signature of the model."""

    code = "invalid_inputs"

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("The inputs do not fit the model's signature; `errors` names the fields.", errors=errors)


class InputsRefused(Unprocessable):
    """The model itself refused inputs that fit its signature, such as a null where it knows no missing values."""

    code = "inputs_refused"


class NotExplainable(Unprocessable):
    """The model is of a kind that is not explained.

    Args:
        reason: what of it, to follow "The model".
    """

    code = "not_explainable"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The model {reason}; its predictions cannot be explained. {EXPLAINABLE}")


class ModelFailedError(InternalError):
    """The model raised, or answered something that has no JSON form."""

    code = "model_failed"


class ModelNotLoadedError(PlatformError):
    """The version exists and is not in memory, because it is being loaded or because that failed."""

    status = 503
    code = "model_not_loaded"

    def __init__(self, detail: str, *, retry_after: float = 1.0) -> None:
        super().__init__(detail, headers={"Retry-After": str(max(1, round(retry_after)))})


class LoadError(Exception):
    """A version cannot be served; the message is the reason, for an operator to read."""


class UnsafeModelError(LoadError):
    """Loading would deserialize what can run any code, and the policy does not allow it for this model."""


def reason(error: BaseException) -> str:
    """Return why a load failed, in one line."""
    if isinstance(error, PlatformError):
        fields = "; ".join(f"{wrong.field} {wrong.message}" for wrong in error.errors)
        return f"{error.detail} {fields}".strip()
    text = " ".join(str(error).split())[:REASON_LENGTH]
    return text if isinstance(error, LoadError) else f"{type(error).__name__}: {text}"
