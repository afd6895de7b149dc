"""The port to experiments: what came of a prediction is told to whoever splits the traffic."""

from typing import Protocol


class Outcomes(Protocol):
    """Takes the outcomes of experiments."""

    def record_outcome(self, model: str, arm: str, value: float) -> None:
        """Count an outcome for the arm, which is the route that answered; returns at once."""


class NoOutcomes:
    """For a service without experiments."""

    def record_outcome(self, model: str, arm: str, value: float) -> None:
        """Do nothing."""
