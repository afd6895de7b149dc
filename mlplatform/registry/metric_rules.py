"""What the tag `ml.gate.metrics` asks of a version's metrics."""

import math
from collections.abc import Mapping
from typing import Annotated

from mlflow.models import MetricThreshold
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError


class MetricRule(BaseModel):
    """What is asked of one metric.

    Attributes:
        greater_is_better: Which way is better.
        threshold: The worst value that passes.
        max_relative_degradation: How much worse than in production it may be, as a share of production's value; 0 is
            no worse at all, None is whatever it be.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    greater_is_better: bool
    threshold: Annotated[float, Field(allow_inf_nan=False)] | None = None
    max_relative_degradation: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None

    def floor(self, baseline: float | None) -> MetricThreshold | None:
        """Give the worst value that passes.

        Args:
            baseline: Production's value; None when there is none to compare with.

        Returns:
            MLflow's threshold; None when every value passes.
        """
        limits = [] if self.threshold is None else [self.threshold]
        if baseline is not None and self.max_relative_degradation is not None:
            slack = self.max_relative_degradation * abs(baseline)
            limits.append(baseline - slack if self.greater_is_better else baseline + slack)
        if not limits:
            return None
        strictest = max(limits) if self.greater_is_better else min(limits)
        return MetricThreshold(threshold=strictest, greater_is_better=self.greater_is_better)


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


def is_number(value: float | None) -> bool:
    """Whether a metric has a value that can be compared."""
    return value is not None and math.isfinite(value)


def floors(rules: Mapping[str, MetricRule], baseline: Mapping[str, float]) -> dict[str, MetricThreshold | None]:
    """Give the worst value that passes, for each rule."""
    return {name: rule.floor(baseline.get(name)) for name, rule in rules.items()}
