"""Compiled signatures for tests."""

from typing import Any

import pytest
from mlflow.models import Model, ModelSignature
from mlflow.types.schema import ColSpec, ParamSchema, Schema, TensorSpec

from mlplatform.errors import FieldError
from services.model_serving.errors import InvalidInputs
from services.model_serving.signature import ModelInput, Signature, compile_signature

MAX_ROWS = 5


def signature_of(*parts: ColSpec | TensorSpec, params: ParamSchema | None = None) -> Signature:
    """Compile a signature of columns or tensors."""
    declared = ModelSignature(inputs=Schema(list(parts)), params=params)
    return compile_signature(Model(signature=declared), max_rows=MAX_ROWS)


def read(signature: Signature, inputs: Any) -> ModelInput:
    """Read inputs that fit."""
    return signature.inputs.read(inputs)


def faults(signature: Signature, inputs: Any) -> dict[str, str]:
    """Read inputs that do not fit; return the message of each wrong field."""
    with pytest.raises(InvalidInputs) as caught:
        signature.inputs.read(inputs)
    return by_field(caught.value.errors)


def by_field(errors: tuple[FieldError, ...]) -> dict[str, str]:
    """Return message by field."""
    return {error.field: error.message for error in errors}
