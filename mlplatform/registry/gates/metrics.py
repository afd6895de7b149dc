"""Are the metrics within their thresholds, and no worse than production on the same evaluation data?"""

import asyncio
import math

import mlflow
from mlflow.models import EvaluationResult, MetricThreshold
from mlflow.models.evaluation.validation import ModelValidationFailedException

from mlplatform.registry import tags as tag
from mlplatform.registry.gates.candidate import Candidate
from mlplatform.registry.gates.finding import Finding, Status
from mlplatform.registry.metric_rules import floors, read_rules
from mlplatform.registry.model_version import ModelVersion
from mlplatform.registry.registry import Registry

GATE = "metrics"


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
    values = {name: measured[name] for name in rules}
    baseline, comparison = _baseline(candidate)
    detail = {"values": values, "baseline": {name: baseline[name] for name in rules if name in baseline}}
    failures = _validate(floors(rules, baseline), values)
    if failures:
        return Finding(GATE, Status.FAILED, f"{' '.join(failures)} ({comparison})", detail)
    shown = ", ".join(f"{name} {value:g}" for name, value in values.items())
    return Finding(GATE, Status.PASSED, f"{shown}: within the rules; {comparison}.", detail)


def _baseline(candidate: Candidate) -> tuple[dict[str, float], str]:
    production = candidate.production
    if production is None or production.version == candidate.version.version:
        return {}, "not compared: nothing else is in production"
    mine = _evaluation(candidate.registry, candidate.version)
    theirs = _evaluation(candidate.registry, production)
    if mine is None or mine != theirs:
        return {}, f"not compared with version {production.version}: different evaluation data"
    measured = candidate.registry.metrics(production).items()
    baseline = {name: value for name, value in measured if math.isfinite(value)}
    return baseline, f"compared with version {production.version}"


def _evaluation(registry: Registry, version: ModelVersion) -> str | None:
    return version.tags.get(tag.EVALUATION_DIGEST) or registry.run_tags(version).get(tag.EVALUATION_DIGEST)


def _validate(floors: dict[str, MetricThreshold | None], values: dict[str, float]) -> list[str]:
    thresholds = {name: floor for name, floor in floors.items() if floor is not None}
    try:
        mlflow.validate_evaluation_results(thresholds, EvaluationResult(metrics=values, artifacts={}, run_id=""))
    except ModelValidationFailedException as error:
        return str(error.message).splitlines()
    return []
