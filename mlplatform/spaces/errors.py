"""What can go wrong with a change of space.

* SpaceError
  + SpaceNotFoundError
  + SpaceNotReadyError
"""


class SpaceError(Exception):
    """The change was refused; the message says why and what to do."""


class SpaceNotFoundError(SpaceError):
    """There is no such space."""

    def __init__(self, space_id: int) -> None:
        super().__init__(f"there is no embedding space {space_id}: see mlp spaces list")


class SpaceNotReadyError(SpaceError):
    """A probe failed, or the space is in a state that forbids the change."""
