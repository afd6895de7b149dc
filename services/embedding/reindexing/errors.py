"""What can end a run, and the exit status of each, as `mlp spaces` has them.

* ReindexError            3   it cannot be begun as things are
  + NothingNamedError    64   what was named is not there
* StalledError            1   a further run goes on
"""

from typing import ClassVar

DONE, LEFT, PRECONDITION, USAGE = 0, 1, 3, 64


class ReindexError(Exception):
    """It cannot be begun; the message says why and what to do."""

    exit_status: ClassVar[int] = PRECONDITION


class NothingNamedError(ReindexError):
    """A tenant that was named is not there."""

    exit_status = USAGE


class StalledError(Exception):
    """The embedding nodes do not embed what they are sent.

    Args:
        items: How many wait.
        space_id: For which space.
        patience: Seconds without progress.
    """

    def __init__(self, items: int, space_id: int, patience: float) -> None:
        super().__init__(
            f"no progress for {patience:.0f} s, {items:,} items wait: does an embedding node run that has the model "
            f"of space {space_id} (mlp spaces show {space_id})? A further run goes on."
        )
