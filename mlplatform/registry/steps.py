"""The steps of a promotion, for those who watch it."""

from collections.abc import Callable
from enum import StrEnum


class Step(StrEnum):
    """What is done, in this order. A crash after any of them can be repaired."""

    REPORT = "report"
    INTENT = "intent"
    PREVIOUS = "previous"
    MIRROR = "mirror"
    ALIAS = "alias"
    VERIFIED = "verified"
    COMMITTED = "committed"
    PUBLISHED = "published"
    LOGGED = "logged"


Observer = Callable[[Step], None]


def ignore(step: Step) -> None:
    """Watch nothing."""
