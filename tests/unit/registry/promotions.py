"""Rows of the ledger and of the approvals, made up."""

from datetime import UTC, datetime, timedelta

from mlplatform.registry.approvals.approval import Approval, Decision
from mlplatform.registry.identity import Proof
from mlplatform.registry.ledger import Action, Promotion, State
from mlplatform.registry.stages import Stage

START = datetime(2026, 1, 1, tzinfo=UTC)


def promotion(
    action: Action,
    version: str,
    from_version: str | None = None,
    stage: Stage = Stage.PRODUCTION,
    *,
    day: int = 0,
) -> Promotion:
    """Make a promotion that was done on a day."""
    return Promotion(
        id=1,
        model="m",
        stage=stage,
        action=action,
        from_version=from_version,
        to_version=version,
        artifact_digest=None,
        gate_report_uri=None,
        actor="ada",
        identity=Proof.OS,
        reason=None,
        trace_id=None,
        state=State.COMMITTED,
        failure=None,
        started_at=START + timedelta(days=day),
        committed_at=START + timedelta(days=day),
    )


def decision(
    who: str, what: Decision = Decision.APPROVED, *, expired: bool = False, reason: str | None = None
) -> Approval:
    """Make a decision on version 1."""
    return Approval(
        id=1,
        model="m",
        version="1",
        stage=Stage.PRODUCTION,
        artifact_digest="0" * 64,
        decision=what,
        approver=who,
        identity=Proof.TOKEN,
        reason=reason,
        decided_at=START,
        expires_at=START + timedelta(days=7) if what is Decision.APPROVED else None,
        expired=expired,
    )
