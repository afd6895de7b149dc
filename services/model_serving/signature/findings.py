"""What is wrong with a caller's inputs, collected so that one answer names every field."""

from collections.abc import Iterable, Sequence

from mlplatform.errors import FieldError
from services.model_serving.errors import InvalidInputs

MOST_ERRORS = 20
"""More than these help nobody, and a body of many rows could ask for as many errors."""


class Findings:
    """Errors by field. Messages say what was expected and never repeat the caller's value."""

    def __init__(self) -> None:
        self._errors: list[FieldError] = []

    @property
    def full(self) -> bool:
        """Whether further errors would be dropped."""
        return len(self._errors) >= MOST_ERRORS

    def add(self, field: str, message: str) -> None:
        """Note an error unless the list is full."""
        if not self.full:
            self._errors.append(FieldError(field=field, message=message))

    def raise_any(self) -> None:
        """End the reading when something was wrong.

        Raises:
            InvalidInputs: at least one error was noted.
        """
        if self._errors:
            raise InvalidInputs(self._errors)


def refuse(field: str, message: str) -> InvalidInputs:
    """Return the error for a single field."""
    return InvalidInputs([FieldError(field=field, message=message)])


def listing(names: Iterable[object], most: int = 10) -> str:
    """Return names for a message, the first `most` of them."""
    shown: Sequence[str] = [repr(name) for name in names]
    rest = len(shown) - most
    return ", ".join(shown[:most]) + (f" and {rest} more" if rest > 0 else "")
