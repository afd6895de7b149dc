"""What can go wrong with a change of space.

* SpaceError
  + SpaceNotFoundError
  + SpaceNotReadyError
    + SpaceLacksItemsError
    + OldVectorExtensionError (indexes/pgvector.py)
"""


class SpaceError(Exception):
    """The change was refused; the message says why and what to do."""


class SpaceNotFoundError(SpaceError):
    """There is no such space."""

    def __init__(self, space_id: int) -> None:
        super().__init__(f"there is no embedding space {space_id}: see mlp spaces list")


class SpaceNotReadyError(SpaceError):
    """A probe failed, or the space is in a state that forbids the change."""


class SpaceLacksItemsError(SpaceNotReadyError):
    """Items would be lost by a switch.

    Args:
        space_id: The space that was to be searched.
        lacking: Items that it has no vector of yet.
        failed: Items that its model cannot take.

    Attributes:
        lacking: The same.
    """

    def __init__(self, space_id: int, lacking: int, failed: int) -> None:
        self.lacking = lacking
        super().__init__(
            f"space {space_id} lacks {lacking:,} items: see mlp spaces show {space_id} --watch"
            if lacking
            else f"the model of space {space_id} cannot embed {failed:,} items that are found today: --accept-failures"
        )
