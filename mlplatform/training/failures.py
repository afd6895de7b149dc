"""What can end a training program, and the exit status of each.

* TrainingError
  + BadData           2   the data cannot be used; nothing was logged or registered
  + Diverged          1   the loss is no number any more
  + UsageError       64   an option cannot be used
"""

from typing import ClassVar

DONE = 0
REFUSED = 1
UNREACHABLE = 5
INTERRUPTED = 130


class TrainingError(Exception):
    """Base of what a training program raises; the message is for the user."""

    exit_status: ClassVar[int] = REFUSED


class BadData(TrainingError):
    """The data cannot be used; the message names file and line where there is one."""

    exit_status = 2


class Diverged(TrainingError):
    """The loss is no number any more."""


class UsageError(TrainingError):
    """An option cannot be used."""

    exit_status = 64
