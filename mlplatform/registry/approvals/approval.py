"""One decision on a version, and what all of them come to."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from psycopg.rows import DictRow

from mlplatform.registry.identity import Proof, is_same_person
from mlplatform.registry.stages import Stage


class Decision(StrEnum):
    """What somebody decided. `revoked` takes back what was approved or rejected before."""

    APPROVED = "approved"
    REJECTED = "rejected"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Approval:
    """One row of the table of approvals.

    Attributes:
        id: Rises with time.
        model: Registered name.
        version: The version it is about.
        stage: Where the version may go, or may not.
        artifact_digest: Digest of the artifacts it is about; other bytes need another approval.
        decision: What was decided.
        approver: By whom.
        identity: How that is known.
        reason: Why, in the approver's words.
        decided_at: When.
        expires_at: Until when an approval holds; None for the other decisions.
        expired: Whether that is past, by the clock of Postgres.
    """

    id: int
    model: str
    version: str
    stage: Stage
    artifact_digest: str
    decision: Decision
    approver: str
    identity: Proof
    reason: str | None
    decided_at: datetime
    expires_at: datetime | None
    expired: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the decisions on a version come to.

    Attributes:
        approval: The one that holds; None when none does.
        message: Why, or why not.
    """

    approval: Approval | None
    message: str


def read_approval(row: DictRow) -> Approval:
    """Make an approval of a row."""
    words = {
        "stage": Stage(row["stage"]),
        "decision": Decision(row["decision"]),
        "identity": Proof(row["identity"]),
        "expired": bool(row["expired"]),
    }
    return Approval(**{**row, **words})


def judge(decisions: Iterable[Approval], requester: str, authors: frozenset[str]) -> Verdict:
    """Find the approval that a promotion may rely on.

    The newest decision counts, except that nobody's own yes does, nor one that expired: then the one before it does.

    Args:
        decisions: On one version, its present artifacts and one stage, newest first.
        requester: Who wants to promote it.
        authors: Who made the version.
    """
    passed_over: list[str] = []
    for decision in decisions:
        on = f"on {decision.decided_at:%Y-%m-%d %H:%M} UTC"
        if decision.decision is not Decision.APPROVED:
            why = f": {decision.reason}" if decision.reason else ""
            return Verdict(None, f"{decision.approver} {decision.decision} it {on}{why}.")
        if decision.expired:
            passed_over.append(
                f"The approval of {decision.approver} expired on {decision.expires_at:%Y-%m-%d %H:%M} UTC."
            )
        elif is_same_person(decision.approver, requester):
            passed_over.append(f"{decision.approver} approved it and cannot be the one who promotes it as well.")
        elif any(is_same_person(decision.approver, author) for author in authors):
            passed_over.append(f"{decision.approver} approved it and made it.")
        else:
            return Verdict(decision, f"{decision.approver} approved it {on}.")
    return Verdict(None, " ".join(passed_over) or "Nobody approved it.")
