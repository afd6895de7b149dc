"""The routing document of a model: what an operator wants its traffic to do."""

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from mlplatform.registry.stages import PRODUCTION
from services.model_serving.schemas import AliasName, VersionNumber

ONE_TARGET: JsonDict = {
    "oneOf": [
        {"required": ["version"], "properties": {"version": {"not": {"type": "null"}}, "alias": {"type": "null"}}},
        {"required": ["alias"], "properties": {"alias": {"not": {"type": "null"}}, "version": {"type": "null"}}},
    ]
}
MOST_ARMS, MOST_SHADOWS = 8, 3
LONGEST_WINDOW = timedelta(minutes=10)

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]


class Part(BaseModel):
    """A part of the document; unknown fields are refused, since a misspelt one would be ignored in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Target(Part):
    """A version by its number, or the version that an alias points to."""

    model_config = ConfigDict(json_schema_extra=ONE_TARGET)

    version: VersionNumber | None = None
    alias: AliasName | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.version is None) == (self.alias is None):
            raise ValueError("give a version or an alias")
        return self

    @property
    def reference(self) -> str:
        """The target in one word: `3`, or `@staging`."""
        return f"@{self.alias}" if self.version is None else self.version


class Canary(Target):
    """A share of the traffic that a candidate answers."""

    percent: Percent
    """Of the requests; 0 sends it none."""


class Shadow(Target):
    """A candidate that scores copies of requests; its answers are compared and thrown away."""

    sample: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 1.0
    """Share of the requests that are copied."""
    tolerance: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 1e-6
    """Numbers agree when they differ by no more than this, relative to the greater one; classes must be equal."""


class Arm(Target):
    """One version in an experiment."""

    name: Name
    """What the report calls it."""
    weight: Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)] = 1.0
    """Its share, relative to the other arms."""
    stopped: bool = False
    """Stopped arms keep their share, and production answers it, so that nobody else's arm changes."""


class Metric(Part):
    """The outcome that decides an experiment; callers report it as feedback."""

    name: Name = "outcome"
    """What it is called."""
    kind: Literal["proportion", "bounded", "mean"] = "proportion"
    """`proportion`: 0 or 1. `bounded`: a number within `lower` and `upper`. `mean`: any number, approximate."""
    lower: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    """Least value of a bounded outcome."""
    upper: Annotated[float, Field(allow_inf_nan=False)] = 1.0
    """Greatest value of a bounded outcome."""
    better: Literal["higher", "lower"] = "higher"
    """Which way is an improvement."""

    @model_validator(mode="after")
    def _range(self) -> Self:
        if self.lower >= self.upper:
            raise ValueError("lower must be less than upper")
        return self


class Experiment(Part):
    """Versions compared on live traffic; the first arm is the one that the others are compared with."""

    name: Name
    """Also the salt of the assignment, so that each experiment deals its callers anew."""
    arms: Annotated[tuple[Arm, ...], Field(min_length=2, max_length=MOST_ARMS)]
    """Control first."""
    metric: Metric = Metric()
    """What decides."""
    percent: Percent = 100.0
    """Share of the requests that take part; the others get the primary version."""
    alpha: Annotated[float, Field(ge=1e-6, le=0.5)] = 0.05
    """Probability of calling a difference where there is none, over the whole life of the experiment and all arms."""

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len({arm.name for arm in self.arms}) < len(self.arms):
            raise ValueError("each arm needs a name of its own")
        return self


class AbortRule(Part):
    """When a canary or an arm is stopped without anybody asking; see `rule.py` for the evidence it takes."""

    enabled: bool = True
    """Whether it is."""
    window_seconds: Annotated[int, Field(ge=10, le=int(LONGEST_WINDOW.total_seconds()))] = 60
    """The past that is looked at."""
    min_requests: Annotated[int, Field(ge=1, le=1_000_000)] = 50
    """Requests in the window, of both sides, before anything is concluded."""
    error_margin: Annotated[float, Field(ge=0, le=1)] = 0.01
    """How much higher its error rate may be, as a share of requests."""
    p99_ratio: Annotated[float, Field(ge=1, le=100)] = 1.5
    """How many times the primary's 99th percentile its own may be."""
    p99_slack_ms: Annotated[float, Field(ge=0, le=60_000)] = 5.0
    """Milliseconds that are added to what the ratio allows."""


class TrafficDocument(Part):
    """How the traffic of one model is dealt out."""

    model_config = ConfigDict(
        json_schema_extra={
            "not": {
                "required": ["canary", "experiment"],
                "properties": {"canary": {"not": {"type": "null"}}, "experiment": {"not": {"type": "null"}}},
            }
        }
    )

    primary: AliasName = PRODUCTION
    """Alias of the version that answers what nothing else takes."""
    canary: Canary | None = None
    shadow: Annotated[tuple[Shadow, ...], Field(max_length=MOST_SHADOWS)] = ()
    """Candidates that score copies."""
    experiment: Experiment | None = None
    sticky: Literal["header", "principal", "none"] = "header"
    """What keeps a caller with one version: the header X-Routing-Key, who the caller is, or nothing."""
    abort: AbortRule = AbortRule()
    """When a canary or an arm is stopped."""

    @model_validator(mode="after")
    def _one_split(self) -> Self:
        if self.canary is not None and self.experiment is not None:
            raise ValueError("give a canary or an experiment, not both: one request has one route")
        if len({shadow.reference for shadow in self.shadow}) < len(self.shadow):
            raise ValueError("each shadow needs a version or an alias of its own")
        return self

    def targets(self) -> tuple[Target, ...]:
        """Return every version that has to be in memory for this document, the primary apart."""
        canary = () if self.canary is None else (self.canary,)
        arms = () if self.experiment is None else tuple(arm for arm in self.experiment.arms if not arm.stopped)
        return (*canary, *self.shadow, *arms)
