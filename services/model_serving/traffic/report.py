"""What the outcomes of an experiment say."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from math import exp
from typing import Literal

from pydantic import BaseModel, Field

from services.model_serving.traffic.document import Arm, Experiment, Metric
from services.model_serving.traffic.sequential import bounded, means
from services.model_serving.traffic.sequential.bounded import Counts
from services.model_serving.traffic.sequential.means import Moments, p_value
from services.model_serving.traffic.totals import ArmTotal

GREATEST_EXPONENT = 700.0
"""e to more than that is no double."""
EXACT = (
    "beta-binomial mixture e-process with universal inference: exact at every sample size, for looks at any time "
    "(Robbins 1970; Wasserman, Ramdas & Balakrishnan 2020)"
)
ASYMPTOTIC = (
    "normal mixture sequential probability ratio test with estimated variance: for looks at any time from 100 outcomes "
    "of each arm on, valid in the limit (Johari, Koomen, Pekelis & Walsh 2022; Waudby-Smith et al. 2024)"
)
ASSUMPTIONS = (
    "Outcomes of an arm are independent and have the same mean throughout; with sticky assignment report one outcome "
    "for each routing key. Whether an outcome is reported does not depend on the arm."
)
SEVERAL_VERSIONS = "An arm was answered by several versions; its figures mix them."

Decision = Literal["better", "worse", "undecided"]


class Comparison(BaseModel):
    """An arm against the control."""

    effect: float | None = Field(description="Difference of the mean outcomes, arm less control.")
    relative_effect: float | None = Field(description="The same as a share of the control's mean.")
    interval: tuple[float, float] | None = Field(description="Differences that the outcomes do not contradict.")
    e_value: float = Field(description="Evidence against no difference; at 1/alpha it is decided.")
    p_value: float = Field(description="Valid whenever one looks: the inverse of the e-value, 1 at most.")
    alpha: float = Field(description="Error probability of this comparison, alpha shared among the arms.")
    decision: Decision


class ArmReport(BaseModel):
    """One arm."""

    name: str
    target: str
    versions: list[str] = Field(description="That answered for it.")
    weight: float
    stopped: bool
    requests: int
    errors: int
    refused: int = Field(description="Requests whose inputs it refused; they are no errors.")
    error_rate: float | None
    p50_seconds: float | None
    p99_seconds: float | None
    outcomes: int
    mean: float | None = Field(description="Of the outcomes.")
    against_control: Comparison | None = Field(description="None for the control itself.")


class ExperimentReport(BaseModel):
    """An experiment as far as it has come; safe to look at whenever one likes, and to stop on."""

    model: str
    experiment: str
    metric: Metric
    running: bool
    began: datetime
    alpha: float
    control: str
    arms: list[ArmReport]
    decision: str = Field(description="In words.")
    method: str
    assumptions: str
    remarks: list[str]


def make_report(
    model: str,
    experiment: Experiment,
    totals: Mapping[str, ArmTotal],
    versions: Mapping[str, AbstractSet[str]],
    *,
    running: bool,
    began: datetime,
) -> ExperimentReport:
    """Report an experiment.

    Args:
        model: its model.
        experiment: what was asked.
        totals: what all replicas counted, by arm.
        versions: that answered, by arm.
        running: whether it still is in effect.
        began: when it was started.
    """
    control = experiment.arms[0]
    first = totals.get(control.name, ArmTotal()).outcomes
    alpha = experiment.alpha / (len(experiment.arms) - 1)
    arms = []
    for arm in experiment.arms:
        total = totals.get(arm.name, ArmTotal())
        found = None if arm is control else compare(experiment.metric, first, total.outcomes, alpha)
        arms.append(_arm(arm, total, versions.get(arm.name, frozenset()), found))
    return ExperimentReport(
        model=model,
        experiment=experiment.name,
        metric=experiment.metric,
        running=running,
        began=began,
        alpha=experiment.alpha,
        control=control.name,
        arms=arms,
        decision=_in_words(experiment, arms),
        method=ASYMPTOTIC if experiment.metric.kind == "mean" else EXACT,
        assumptions=ASSUMPTIONS,
        remarks=[SEVERAL_VERSIONS] if any(len(found) > 1 for found in versions.values()) else [],
    )


def compare(metric: Metric, control: Moments, arm: Moments, alpha: float) -> Comparison:
    """Compare the outcomes of an arm with those of the control."""
    if metric.kind == "mean":
        evidence, interval = means.log_evidence(control, arm), means.interval(control, arm, alpha)
    else:
        width = metric.upper - metric.lower if metric.kind == "bounded" else 1.0
        ours, theirs = _counts(metric, control), _counts(metric, arm)
        evidence = bounded.log_evidence(ours, theirs)
        low, high = bounded.interval(ours, theirs, alpha)
        interval = low * width, high * width
    known = control.count > 0 and arm.count > 0
    effect = arm.mean - control.mean if known else None
    return Comparison(
        effect=effect,
        relative_effect=None if effect is None or not control.mean else effect / abs(control.mean),
        interval=interval,
        e_value=exp(min(evidence, GREATEST_EXPONENT)),
        p_value=p_value(evidence),
        alpha=alpha,
        decision=_decide(metric, interval),
    )


def _counts(metric: Metric, outcomes: Moments) -> Counts:
    lower, upper = (metric.lower, metric.upper) if metric.kind == "bounded" else (0.0, 1.0)
    mean = min(1.0, max(0.0, (outcomes.mean - lower) / (upper - lower)))
    successes = outcomes.count * mean
    return Counts(successes, outcomes.count - successes)


def _decide(metric: Metric, interval: tuple[float, float] | None) -> Decision:
    if interval is None or interval[0] <= 0 <= interval[1]:
        return "undecided"
    return "better" if (interval[0] > 0) == (metric.better == "higher") else "worse"


def _arm(arm: Arm, total: ArmTotal, versions: AbstractSet[str], found: Comparison | None) -> ArmReport:
    tally, outcomes = total.tally, total.outcomes
    return ArmReport(
        name=arm.name,
        target=arm.reference,
        versions=sorted(versions, key=lambda version: (len(version), version)),
        weight=arm.weight,
        stopped=arm.stopped,
        requests=tally.requests,
        errors=tally.errors,
        refused=tally.refused,
        error_rate=tally.error_rate,
        p50_seconds=tally.percentile(0.5),
        p99_seconds=tally.percentile(0.99),
        outcomes=outcomes.count,
        mean=outcomes.mean if outcomes.count else None,
        against_control=found,
    )


def _in_words(experiment: Experiment, arms: list[ArmReport]) -> str:
    decided = {
        arm.name: arm.against_control.decision
        for arm in arms
        if arm.against_control is not None and arm.against_control.decision != "undecided"
    }
    if not decided:
        return f"No difference in {experiment.metric.name} is shown yet; go on, or stop without a winner."
    words = "; ".join(f"{name} is {decision} than {experiment.arms[0].name}" for name, decision in decided.items())
    return f"{words} in {experiment.metric.name}, with error probability {experiment.alpha:g} over all looks."
