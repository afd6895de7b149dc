"""What can end a run, and the exit status of each.

* FineTuningError
  + BadData           2   the judged pairs cannot be used; nothing was logged or registered
  + MiningFailed      1   the index that was named gives no negatives
  + Diverged          1   the loss is no number any more
  + UsageError       64   an option cannot be used
"""

from typing import ClassVar

DONE = 0
REFUSED = 1
NO_BETTER = 3
UNREACHABLE = 5
INTERRUPTED = 130


class FineTuningError(Exception):
    """Base of what this program raises; the message is for the user."""

    exit_status: ClassVar[int] = REFUSED


class BadData(FineTuningError):
    """The judged pairs cannot be used."""

    exit_status = 2


class MiningFailed(FineTuningError):
    """The index that was named gives no negatives."""


class Diverged(FineTuningError):
    """The loss is no number any more."""


class UsageError(FineTuningError):
    """An option cannot be used."""

    exit_status = 64
