"""Inputs that are one thing and not a row among others."""

from typing import Any

from services.model_serving.signature import ModelInput


class WholeInput(ModelInput):
    """A caller's object as it is, for a model that declares nothing about its inputs.

    Args:
        data: what `pyfunc.predict` takes.
    """

    __slots__ = ()

    def __init__(self, data: Any) -> None:  # noqa: ANN401 (a model may take anything)
        super().__init__(data, 1)

    @property
    def layout(self) -> None:
        """It is never joined with others."""
        return
