"""What can go wrong with reindexing."""


class ReindexError(Exception):
    """It cannot be begun; the message says why and what to do."""


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
