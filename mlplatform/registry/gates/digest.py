"""Are the artifacts the ones that were registered?"""

import asyncio

from mlplatform.registry.gates.candidate import Candidate
from mlplatform.registry.gates.finding import Finding, Status
from mlplatform.registry.measure import measure_digest
from mlplatform.registry.report import GateReport

GATE = "digest"
SHOWN = 12


async def check(candidate: Candidate) -> Finding:
    """Download the artifacts, past every cache, and compare their digest with the recorded one."""
    return await asyncio.to_thread(_check, candidate)


def measured(report: GateReport) -> str:
    """Give the digest that this gate found."""
    return next(str(finding.detail["digest"]) for finding in report.findings if finding.gate == GATE)


def _check(candidate: Candidate) -> Finding:
    version = candidate.version
    try:
        digest = measure_digest(candidate.registry, version)
    except ValueError as error:
        return Finding(GATE, Status.FAILED, f"What the store holds is no model: {error}")
    detail = {"digest": digest, "recorded": version.digest}
    if version.digest is None:
        return Finding(
            GATE,
            Status.WARNED,
            f"No digest was recorded at registration; the promotion records the present one, {digest[:SHOWN]}….",
            detail,
        )
    if digest != version.digest:
        return Finding(
            GATE,
            Status.FAILED,
            f"The artifacts hash to {digest[:SHOWN]}…, not to {version.digest[:SHOWN]}… as recorded at registration. "
            "They were changed in the object store: register the model anew from its run.",
            detail,
        )
    return Finding(GATE, Status.PASSED, f"The artifacts are the registered ones, {digest[:SHOWN]}….", detail)
