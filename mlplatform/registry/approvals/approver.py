"""Approving, rejecting, and taking either back."""

import asyncio
from dataclasses import dataclass

from mlplatform.audit import AuditLog
from mlplatform.registry.approvals import repository
from mlplatform.registry.approvals.approval import Approval, Decision, read_approval
from mlplatform.registry.errors import PromotionRefused
from mlplatform.registry.identity import Identity, is_same_person, require_proof
from mlplatform.registry.measure import measure_digest
from mlplatform.registry.model_version import ModelVersion
from mlplatform.registry.registry import Registry
from mlplatform.registry.repository import Connection
from mlplatform.registry.session import connect
from mlplatform.registry.settings import PromotionSettings
from mlplatform.registry.stages import Stage
from mlplatform.registry.trace_id import current_trace_id

AUDIT_ACTIONS = {
    Decision.APPROVED: "model.approved",
    Decision.REJECTED: "model.rejected",
    Decision.REVOKED: "model.approval_revoked",
}


@dataclass(frozen=True, slots=True)
class DecisionRequest:
    """What somebody decides.

    Attributes:
        model: Registered name.
        version: Which version.
        stage: Where it may go, or may not.
        decision: What.
        identity: Who decides.
        reason: Why.
        dry_run: Whether to say only what would be written.
    """

    model: str
    version: str
    stage: Stage
    decision: Decision
    identity: Identity
    reason: str | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Decided:
    """What came of it.

    Attributes:
        request: What was asked for.
        artifact_digest: The artifacts that it is about.
        approval: The row; None in a dry run.
        changed: False when it was decided so already, or in a dry run.
    """

    request: DecisionRequest
    artifact_digest: str
    approval: Approval | None
    changed: bool


class Approver:
    """Writes decisions on versions.

    Args:
        settings: Where they are kept, and how long an approval holds.
        registry: Where the versions are.
        audit: What decisions are recorded in.
    """

    def __init__(self, settings: PromotionSettings, registry: Registry, audit: AuditLog) -> None:
        self._settings = settings
        self._registry = registry
        self._audit = audit

    async def decide(self, request: DecisionRequest) -> Decided:
        """Write a decision, unless the newest one says the same already.

        Raises:
            PromotionRefused: Who decides is not proved, made the version, or there is nothing to take back.
            NotFound: There is no such version.
            DependencyUnavailable: MLflow or its store is down.
            psycopg.OperationalError: Postgres is down.
        """
        require_proof(self._settings, request.identity)
        version = await asyncio.to_thread(self._registry.get_version, request.model, request.version)
        await self._refuse_author(request, version)
        digest = version.digest
        if digest is None:
            digest = await asyncio.to_thread(measure_digest, self._registry, version)
        async with connect(self._settings) as connection:
            newest = await self._newest(connection, request, digest)
            if request.decision is Decision.REVOKED and (newest is None or newest.decision is Decision.REVOKED):
                raise PromotionRefused(f"{request.model} version {request.version} is neither approved nor rejected.")
            if newest is not None and _says_the_same(newest, request):
                return Decided(request, digest, newest, changed=False)
            if request.dry_run:
                return Decided(request, digest, None, changed=False)
            return Decided(request, digest, await self._write(connection, request, digest), changed=True)

    async def _refuse_author(self, request: DecisionRequest, version: ModelVersion) -> None:
        if request.decision is not Decision.APPROVED:
            return
        authors = await asyncio.to_thread(self._registry.authors, version)
        if any(is_same_person(request.identity.name, author) for author in authors):
            raise PromotionRefused(
                f"{request.identity.name} made {request.model} version {request.version}. Another person approves it."
            )

    async def _newest(self, connection: Connection, request: DecisionRequest, digest: str) -> Approval | None:
        rows = await repository.on_version(
            connection, model=request.model, version=request.version, stage=request.stage, artifact_digest=digest
        )
        return read_approval(rows[0]) if rows else None

    async def _write(self, connection: Connection, request: DecisionRequest, digest: str) -> Approval:
        async with connection.transaction():
            row = await repository.insert(
                connection,
                model=request.model,
                version=request.version,
                stage=request.stage,
                artifact_digest=digest,
                decision=request.decision,
                approver=request.identity.name,
                identity=request.identity.proof,
                reason=request.reason,
                trace_id=current_trace_id(),
                holds=self._settings.promotion_approval_ttl if request.decision is Decision.APPROVED else None,
            )
            await self._audit.record(
                action=AUDIT_ACTIONS[request.decision],
                resource=f"models/{request.model}",
                actor=request.identity.name,
                detail={
                    "approval_id": row["id"],
                    "version": request.version,
                    "stage": request.stage,
                    "digest": digest,
                    "identity": request.identity.proof,
                    "reason": request.reason,
                },
                connection=connection,
            )
        return read_approval(row)


def _says_the_same(newest: Approval, request: DecisionRequest) -> bool:
    mine = newest.approver == request.identity.name
    return mine and newest.decision is request.decision and not newest.expired
