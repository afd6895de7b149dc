"""What is wrong with a row."""

from typing import NamedTuple


class Fault(NamedTuple):
    """Why a row has no answer.

    Attributes:
        code: Of the error, for programs.
        reason: For people.
    """

    code: str
    reason: str
