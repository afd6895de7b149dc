"""What the tag `ml.gate.metrics` asks of a version's metrics."""

from typing import Annotated

from mlflow.models import MetricThreshold
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

Number = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class MetricRule(BaseModel):
    """What is asked of one metric.

    A rule that says nothing about production asks to be no worse than it; a `max_relative_degradation` of null asks
    nothing.

    Attributes:
        greater_is_better: Which way is better.
        threshold: The worst value that passes.
        max_relative_degradation: How much worse than in production it may be, as a share of production's value; 0 is
            no worse at all.
        max_absolute_degradation: The same as a number.
        min_relative_improvement: How much better than in production it must be, as a share of production's value; of a
            production value of 0, better at all is enough.
        min_absolute_improvement: The same as a number.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    greater_is_better: bool
    threshold: Number | None = None
    max_relative_degradation: Share | None = None
    max_absolute_degradation: Share | None = None
    min_relative_improvement: Annotated[float, Field(gt=0, le=1)] | None = None
    min_absolute_improvement: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None

    @property
    def demands_improvement(self) -> bool:
        """Whether it asks to be better than production."""
        return self.min_relative_improvement is not None or self.min_absolute_improvement is not None

    @property
    def compares(self) -> bool:
        """Whether it asks anything that depends on production."""
        return self.demands_improvement or bool(self._slacks(1.0))

    def floor(self, baseline: float | None) -> MetricThreshold | None:
        """Give what MLflow is to hold the metric against.

        Args:
            baseline: Production's value; None when there is none to compare with.

        Returns:
            MLflow's threshold; None when every value passes.
        """
        limits = self._limits(baseline)
        improves = baseline is not None and self.demands_improvement
        if not limits and not improves:
            return None
        return MetricThreshold(
            threshold=self._strictest(limits) if limits else None,
            min_relative_change=self.min_relative_improvement if improves else None,
            min_absolute_change=self.min_absolute_improvement if improves else None,
            greater_is_better=self.greater_is_better,
        )

    def limit(self, baseline: float | None) -> float | None:
        """Give the worst value that passes, for people to see; None when every value does."""
        limits = self._limits(baseline)
        if baseline is not None:
            sign = 1 if self.greater_is_better else -1
            gains = [(self.min_relative_improvement or 0) * abs(baseline), self.min_absolute_improvement or 0]
            limits += [baseline + sign * gain for gain in gains if gain]
        return self._strictest(limits) if limits else None

    def _limits(self, baseline: float | None) -> list[float]:
        limits = [] if self.threshold is None else [self.threshold]
        if baseline is not None:
            limits += [
                baseline - slack if self.greater_is_better else baseline + slack for slack in self._slacks(baseline)
            ]
        return limits

    def _slacks(self, baseline: float) -> list[float]:
        unsaid = {"max_relative_degradation", "max_absolute_degradation"}.isdisjoint(self.model_fields_set)
        if unsaid and not self.demands_improvement:
            return [0.0]
        relative, absolute = self.max_relative_degradation, self.max_absolute_degradation
        return [
            *([] if relative is None else [relative * abs(baseline)]),
            *([] if absolute is None else [absolute]),
        ]

    def _strictest(self, limits: list[float]) -> float:
        return max(limits) if self.greater_is_better else min(limits)


RULES = TypeAdapter(dict[Annotated[str, Field(min_length=1)], MetricRule])


def read_rules(text: str) -> dict[str, MetricRule]:
    """Read the tag.

    Raises:
        ValueError: It is no JSON object of rules; the message names the place.
    """
    try:
        return RULES.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{place}: {first['msg']}" if place else first["msg"]) from None
