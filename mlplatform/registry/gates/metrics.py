"""Are the metrics within their thresholds, and no worse than production on the same evaluation data?"""

import asyncio
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import mlflow
from mlflow.models import EvaluationResult
from mlflow.models.evaluation.validation import ModelValidationFailedException

from mlplatform.registry import tags as tag
from mlplatform.registry.gates.candidate import Candidate
from mlplatform.registry.gates.finding import Finding, Status
from mlplatform.registry.metric_rules import MetricRule, read_rules
from mlplatform.registry.model_version import ModelVersion
from mlplatform.registry.registry import Registry

GATE = "metrics"


@dataclass(frozen=True, slots=True)
class Measurement:
    """One metric against its rule.

    Attributes:
        metric: Its name.
        value: Of the candidate.
        production: Of the version in production; None when not compared.
        limit: The worst value that passes; None when every value does.
        greater_is_better: Which way is better.
        passed: Whether it does.
    """

    metric: str
    value: float
    production: float | None
    limit: float | None
    greater_is_better: bool
    passed: bool

    def __str__(self) -> str:
        if self.passed or self.limit is None:
            return f"{self.metric} {self.value:g}"
        bound = "least" if self.greater_is_better else "most"
        against = "" if self.production is None else f" (production has {self.production:g})"
        return f"{self.metric} is {self.value:g} and must be at {bound} {self.limit:g}{against}"


@dataclass(frozen=True, slots=True)
class Baseline:
    """What production measured.

    Attributes:
        values: Its metrics; empty when it is not compared with.
        comparison: With what the candidate is compared, or why with nothing.
        comparable: False when there is a version in production and its metrics say nothing about this one.
    """

    values: Mapping[str, float]
    comparison: str
    comparable: bool = True


async def check(candidate: Candidate) -> Finding:
    """Hold the metrics of the version's logged model, else of its run, against the rules of the model."""
    return await asyncio.to_thread(_check, candidate)


def _check(candidate: Candidate) -> Finding:
    # The model's rules win: whoever registers a version does not choose what it is held against.
    text = candidate.model.tags.get(tag.GATE_METRICS) or candidate.version.tags.get(tag.GATE_METRICS)
    if not text:
        return Finding(
            GATE, Status.SKIPPED, f"There are no rules. Set the tag {tag.GATE_METRICS} on the model to have some."
        )
    try:
        rules = read_rules(text)
    except ValueError as error:
        return Finding(
            GATE,
            Status.FAILED,
            f"The tag {tag.GATE_METRICS} cannot be read: {error}. It is a JSON object such as "
            '{"rmse": {"greater_is_better": false, "threshold": 0.5, "max_relative_degradation": 0.02}}.',
        )
    measured = candidate.registry.metrics(candidate.version)
    unusable = [
        f"{name} is {measured[name]}" if name in measured else f"{name} was not logged"
        for name in rules
        if not math.isfinite(measured.get(name, math.nan))
    ]
    if unusable:
        message = f"{'; '.join(unusable)}. Log it on the model or its run, and register the model anew."
        return Finding(GATE, Status.FAILED, message)
    return _judge(rules, measured, _baseline(candidate))


def _judge(rules: Mapping[str, MetricRule], measured: Mapping[str, float], baseline: Baseline) -> Finding:
    found = [_measure(name, rule, measured[name], baseline.values.get(name)) for name, rule in rules.items()]
    detail = {"measurements": [asdict(measurement) for measurement in found], "comparison": baseline.comparison}
    failures = [str(measurement) for measurement in found if not measurement.passed]
    if failures:
        message = f"{'; '.join(failures)}; {baseline.comparison}. Train a better version, or change the rules."
        return Finding(GATE, Status.FAILED, message, detail)
    shown = ", ".join(map(str, found))
    compared = [name for name, rule in rules.items() if rule.compares]
    missing = [name for name in compared if baseline.values and name not in baseline.values]
    if missing:
        message = f"{shown}: within the rules; {baseline.comparison}, which has no {', '.join(missing)}."
        return Finding(GATE, Status.WARNED, message, detail)
    status = Status.PASSED if baseline.comparable or not compared else Status.WARNED
    return Finding(GATE, status, f"{shown}: within the rules; {baseline.comparison}.", detail)


def _measure(name: str, rule: MetricRule, value: float, production: float | None) -> Measurement:
    floor = rule.floor(production)
    passed = True
    if floor is not None:
        theirs = None if production is None else EvaluationResult(metrics={name: production}, artifacts={}, run_id="")
        mine = EvaluationResult(metrics={name: value}, artifacts={}, run_id="")
        try:
            mlflow.validate_evaluation_results({name: floor}, mine, theirs)
        except ModelValidationFailedException:
            passed = False
    return Measurement(name, value, production, rule.limit(production), rule.greater_is_better, passed)


def _baseline(candidate: Candidate) -> Baseline:
    production = candidate.production
    if production is None or production.version == candidate.version.version:
        return Baseline({}, "not compared: nothing else is in production")
    mine = _evaluation(candidate.registry, candidate.version)
    theirs = _evaluation(candidate.registry, production)
    if mine is None or mine != theirs:
        message = (
            f"not compared with version {production.version}: different evaluation data. Evaluate both on the same, "
            f"and say so by the tag {tag.EVALUATION_DIGEST}"
        )
        return Baseline({}, message, comparable=False)
    measured = candidate.registry.metrics(production).items()
    baseline = {name: value for name, value in measured if math.isfinite(value)}
    return Baseline(baseline, f"compared with version {production.version}")


def _evaluation(registry: Registry, version: ModelVersion) -> str | None:
    return version.tags.get(tag.EVALUATION_DIGEST) or registry.run_tags(version).get(tag.EVALUATION_DIGEST)
