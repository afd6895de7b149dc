"""Promotions, approvals and drift in the form in which the API shows them."""

from mlplatform.registry.approvals.approval import Approval
from mlplatform.registry.drift.incident import Incident
from mlplatform.registry.ledger import Promotion
from services.model_serving.schemas import AliasDrift, ApprovalEntry, PromotionEntry


def render_promotion(promotion: Promotion) -> PromotionEntry:
    """Show a row of the ledger."""
    return PromotionEntry(
        id=promotion.id,
        stage=promotion.stage,
        action=promotion.action,
        state=promotion.state,
        from_version=promotion.from_version,
        to_version=promotion.to_version,
        artifact_digest=promotion.artifact_digest,
        actor=promotion.actor,
        identity=promotion.identity.value,
        reason=promotion.reason,
        failure=promotion.failure,
        trace_id=promotion.trace_id,
        started_at=promotion.started_at,
        committed_at=promotion.committed_at,
        has_report=promotion.gate_report_uri is not None,
    )


def render_approval(approval: Approval) -> ApprovalEntry:
    """Show a decision on a version."""
    return ApprovalEntry(
        id=approval.id,
        version=approval.version,
        stage=approval.stage,
        artifact_digest=approval.artifact_digest,
        decision=approval.decision.value,
        approver=approval.approver,
        identity="token" if approval.identity == "token" else "os",
        reason=approval.reason,
        decided_at=approval.decided_at,
        expires_at=approval.expires_at,
        expired=approval.expired,
    )


def render_drift(incident: Incident) -> AliasDrift:
    """Show what was moved or deleted past the platform."""
    drift = incident.drift
    return AliasDrift(
        alias=drift.alias,
        kind=drift.kind.value,
        recorded=drift.recorded,
        found=drift.found,
        detected_at=incident.detected_at,
        message=drift.message,
    )
