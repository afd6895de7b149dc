"""The gates, one after the other."""

from collections.abc import AsyncIterator

from mlplatform.registry.gates import approval, digest, metrics, serialization, servability, signature
from mlplatform.registry.gates.candidate import Candidate
from mlplatform.registry.gates.finding import Finding, Status
from mlplatform.registry.gates.trial import SERVING, try_version
from mlplatform.registry.report import GateReport
from mlplatform.registry.stages import Stage


async def examine(candidate: Candidate, stage: Stage, *, rollback: bool = False) -> GateReport:
    """Send a version through the gates.

    Args:
        candidate: The version.
        stage: Where to.
        rollback: Whether it served before, so that only its digest is checked anew: going back must be fast.

    Raises:
        DependencyUnavailable: MLflow or its store is down.
    """
    findings = [finding async for finding in _findings(candidate, stage, rollback=rollback)]
    return GateReport.of(
        model=candidate.version.name,
        version=candidate.version.version,
        stage=stage,
        production=None if candidate.production is None else candidate.production.version,
        requester=candidate.requester,
        findings=findings,
    )


async def _findings(candidate: Candidate, stage: Stage, *, rollback: bool) -> AsyncIterator[Finding]:
    first = await digest.check(candidate)
    yield first
    # Bytes that are not the registered ones are not looked into, and above all not loaded.
    if rollback or first.status is Status.FAILED:
        return
    yield await signature.check(candidate)
    yield await metrics.check(candidate)
    trial = await try_version(candidate) if candidate.model.served_by == SERVING else None
    yield await serialization.check(candidate, trial)
    yield servability.check(candidate, trial)
    yield await approval.check(candidate, stage, str(first.detail["digest"]))
