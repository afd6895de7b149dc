"""Did another person approve this version, with these artifacts, for this stage?"""

import asyncio

from mlplatform.registry.approvals.approval import judge
from mlplatform.registry.gates.candidate import Candidate
from mlplatform.registry.gates.finding import Finding, Status
from mlplatform.registry.stages import Stage

GATE = "approval"


async def check(candidate: Candidate, stage: Stage, digest: str) -> Finding:
    """Look for an approval by somebody who neither asks for the promotion nor made the version."""
    if candidate.decisions is None:
        message = "Not asked for. ML_PROMOTION_REQUIRE_APPROVAL=true has every version approved before Production."
        return Finding(GATE, Status.SKIPPED, message)
    authors = await asyncio.to_thread(candidate.registry.authors, candidate.version)
    verdict = judge(await candidate.decisions(digest), candidate.requester, authors)
    if verdict.approval is not None:
        detail = {"approval_id": verdict.approval.id, "approver": verdict.approval.approver}
        return Finding(GATE, Status.PASSED, verdict.message, detail)
    command = approve_command(candidate.version.name, candidate.version.version, stage)
    detail = {"command": command, "authors": sorted(authors)}
    return Finding(GATE, Status.FAILED, f"{verdict.message} Have somebody else type: {command}", detail)


def approve_command(model: str, version: str, stage: Stage) -> str:
    """Give the line for the approver to type."""
    return f"python scripts/promote_model.py --model {model} --version {version} --stage {stage} --approve"
