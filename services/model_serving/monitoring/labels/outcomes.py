"""The port to experiments: what came of a prediction is told to whoever splits the traffic."""

from datetime import datetime
from typing import Protocol


class Outcomes(Protocol):
    """Takes the outcomes of experiments."""

    def record_outcome(
        self, model: str, arm: str, value: float, *, version: str | None = None, predicted_at: datetime | None = None
    ) -> object:
        """Count an outcome; returns at once.

        Args:
            model: That was asked.
            arm: The route that answered.
            value: What it was worth.
            version: That answered.
            predicted_at: When.

        Raises:
            PlatformError: the experiment cannot take this value; the caller is told the reason.
        """


class NoOutcomes:
    """For a service without experiments."""

    def record_outcome(
        self, model: str, arm: str, value: float, *, version: str | None = None, predicted_at: datetime | None = None
    ) -> None:
        """Do nothing."""
