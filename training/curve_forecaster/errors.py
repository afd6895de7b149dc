"""What can end a training run, and the exit status of each.

* TrainingError
  + BadData           2   the data cannot be used; nothing was logged or registered
  + TuningFailed      1   every trial of the hyper-parameter search failed
  + UsageError       64   an option cannot be used
"""

from typing import ClassVar

DONE = 0
REFUSED = 1
UNREACHABLE = 5
USAGE = 64
INTERRUPTED = 130


class TrainingError(Exception):
    """Base of what this program raises; the message is for the user."""

    exit_status: ClassVar[int] = REFUSED


class BadData(TrainingError):
    """The data cannot be used; the message names file, row and column where there is one."""

    exit_status = 2


class TuningFailed(TrainingError):
    """Every trial of the hyper-parameter search failed."""


class UsageError(TrainingError):
    """An option cannot be used."""

    exit_status = USAGE
