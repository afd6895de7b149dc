"""Fields of a caller's body in errors, named as the caller's own protocol names them."""

from collections.abc import Iterable

from mlplatform.errors import FieldError
from services.model_serving.errors import InvalidInputs

INPUTS = "body.inputs"
PARAMS = "body.params"


def renamed(error: InvalidInputs, inputs: str, params: str) -> InvalidInputs:
    """Return the error with other names for the inputs and the parameters.

    Args:
        error: What the signature says.
        inputs: What the protocol calls the inputs, such as `dataframe_split`.
        params: The same for the parameters.
    """
    return InvalidInputs([FieldError(_rename(wrong.field, inputs, params), wrong.message) for wrong in error.errors])


def _rename(field: str, inputs: str, params: str) -> str:
    if field.startswith(INPUTS):
        return inputs + field.removeprefix(INPUTS)
    return params + field.removeprefix(PARAMS) if field.startswith(PARAMS) else field


def sentence(errors: Iterable[FieldError]) -> str:
    """Return what is wrong as one line, for protocols whose errors are a text."""
    return "; ".join(f"{wrong.field} {wrong.message}" for wrong in errors)
