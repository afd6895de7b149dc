"""What can go wrong with a review.

* PlatformError
  + Conflict
    x AlreadyDecided        409  somebody has decided otherwise
"""

from mlplatform.errors import Conflict


class AlreadyDecided(Conflict):
    """Somebody has decided otherwise before."""

    code = "already_decided"

    def __init__(self, state: str) -> None:
        super().__init__(f"The review was {state} before; a decision is not changed.")
