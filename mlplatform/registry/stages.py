"""The users' words for where a version stands, and the MLflow aliases that hold the truth."""

from enum import StrEnum

STAGING = "staging"
PRODUCTION = "production"
PREVIOUS = "previous"
"""Alias of the version that was in production before; a roll-back goes there."""
NO_STAGE = "None"
"""What MLflow calls the stage of a version that never had one."""


class Stage(StrEnum):
    """Where a version stands. The values are the words MLflow's deprecated stage field uses."""

    STAGING = "Staging"
    PRODUCTION = "Production"
    ARCHIVED = "Archived"

    @property
    def alias(self) -> str | None:
        """The alias that means this stage; archived versions have none."""
        return {Stage.STAGING: STAGING, Stage.PRODUCTION: PRODUCTION}.get(self)
