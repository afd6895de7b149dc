"""Promotion, rollback and archiving.

Under a Postgres advisory lock for the model: gates → report → ledger intent → `@previous` → stage mirror → alias →
re-read → ledger commit with the event and the audit row in one transaction → publication → report beside the run.
Nothing changes before the intent is written, and an intent that a crash leaves open is finished by `verify --repair` or
by the next promotion.

A promotion to Production or Staging leaves the version's other alias alone: a version may be in both, and its mirrored
stage is then Production. A rollback goes to `@previous` and takes that step off the way back, so that a second one goes
one further back, and not forth again to the version that was just left.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from mlplatform.audit import AuditLog
from mlplatform.events import CloudEvent, PromotionAnnounced, enqueue
from mlplatform.objects import ObjectStore
from mlplatform.registry import repository
from mlplatform.registry import tags as tag
from mlplatform.registry.approvals import repository as approvals
from mlplatform.registry.approvals.approval import Approval, read_approval
from mlplatform.registry.errors import ApprovalMissing, GateBlocked, PromotionRefused, VersionNotFound
from mlplatform.registry.gates import approval, digest
from mlplatform.registry.gates.candidate import Candidate
from mlplatform.registry.gates.run import examine
from mlplatform.registry.identity import require_proof
from mlplatform.registry.ledger import Action, read_promotion
from mlplatform.registry.lineage import Lineage
from mlplatform.registry.model_version import ModelVersion
from mlplatform.registry.registry import Registry
from mlplatform.registry.repair import settle
from mlplatform.registry.report import GateReport
from mlplatform.registry.reporting.files import log_files, store_files, write_files
from mlplatform.registry.repository import Connection
from mlplatform.registry.request import Outcome, PromotionRequest
from mlplatform.registry.session import locked, read_lineage
from mlplatform.registry.settings import PromotionSettings
from mlplatform.registry.stages import PREVIOUS, PRODUCTION, Stage
from mlplatform.registry.steps import Observer, Step, ignore
from mlplatform.registry.trace_id import current_trace_id
from mlplatform.registry.transition import SOURCE, Transition

NOTHING = "none"
"""What a caller says for: no version has the stage."""


class Promoter:
    """Moves versions between stages.

    Args:
        settings: Where the ledger is, and the limits.
        registry: Where the aliases are.
        objects: Where gate reports go.
        audit: What commits are recorded in.
        publish: Publishes the outbox, and says whether it could.
        observe: Told of each step when it is done.
    """

    def __init__(
        self,
        settings: PromotionSettings,
        registry: Registry,
        objects: ObjectStore,
        audit: AuditLog,
        *,
        publish: Callable[[], Awaitable[bool]],
        observe: Observer = ignore,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._objects = objects
        self._publish = publish
        self._observe = observe
        self._transition = Transition(registry, audit, observe)

    async def promote(self, request: PromotionRequest) -> Outcome:
        """Put a version into Staging or Production.

        Raises:
            GateBlocked: A gate failed.
            ApprovalMissing: Only the approval of another person is missing.
            PromotionRefused: `expect_current` does not hold, or there is no version, or the alias was moved meanwhile.
            NotFound: There is no such model or version.
            DependencyUnavailable: MLflow or S3 is down.
            psycopg.OperationalError: Postgres is down.
        """
        if self._needs_approval(request):
            require_proof(self._settings, request.identity)
        version = await asyncio.to_thread(self._version, request)
        alias = str(request.stage.alias)
        async with locked(self._settings, request.model) as connection:
            settled = await self._settle(connection, request, version.version)
            current = await asyncio.to_thread(self._registry.find_alias, request.model, alias)
            lineage = await read_lineage(connection, request.model)
            if current == version.version == lineage.aliases[alias]:
                return replace(_unchanged(request, Action.PROMOTE, version.version, current), settled=settled)
            _compare_and_set(request, current)
            outcome = await self._pass(connection, request, Action.PROMOTE, version, current)
            return replace(outcome, settled=settled)

    async def rollback(self, request: PromotionRequest) -> Outcome:
        """Put the version that served before back into Production; only its digest is checked anew.

        Raises:
            As `promote`; PromotionRefused also when no version served before, or it was deleted.
        """
        async with locked(self._settings, request.model) as connection:
            settled = await self._settle(connection, request)
            current = await asyncio.to_thread(self._registry.find_alias, request.model, PRODUCTION)
            target = _way_back(request.model, await read_lineage(connection, request.model), current)
            _compare_and_set(request, current)
            try:
                version = await asyncio.to_thread(self._registry.get_version, request.model, target)
            except VersionNotFound as error:
                raise PromotionRefused(
                    f"Version {target} of {request.model} served before and was deleted. "
                    "Promote another with --stage Production --version N."
                ) from error
            outcome = await self._pass(connection, request, Action.ROLLBACK, version, current)
            return replace(outcome, settled=settled)

    async def archive(self, request: PromotionRequest) -> Outcome:
        """Take every alias off a version.

        Archiving the version that serves leaves the model without one, so it needs `force`.

        Raises:
            As `promote`; no gates run.
        """
        version = await asyncio.to_thread(self._version, request)
        async with locked(self._settings, request.model) as connection:
            settled = await self._settle(connection, request)
            version = await asyncio.to_thread(self._registry.get_version, request.model, version.version)
            serves = PRODUCTION in version.aliases
            current = version.version if serves else None
            on_way_back = version.version in (await read_lineage(connection, request.model)).way_back
            if not version.aliases and not on_way_back and version.stage == Stage.ARCHIVED:
                return replace(_unchanged(request, Action.ARCHIVE, version.version, None), settled=settled)
            _compare_and_set(request, await asyncio.to_thread(self._registry.find_alias, request.model, PRODUCTION))
            if serves and not request.force:
                raise PromotionRefused(
                    f"Version {version.version} of {request.model} is in production. Promote another or roll back "
                    "first, or take the model out of service with --force."
                )
            if request.dry_run:
                return _unchanged(request, Action.ARCHIVE, version.version, current)
            outcome = await self._write(connection, request, Action.ARCHIVE, version, current)
            return replace(outcome, settled=settled)

    async def _settle(self, connection: Connection, request: PromotionRequest, wanted: str | None = None) -> int | None:
        if request.dry_run:
            return None
        settled = await settle(
            connection,
            self._registry,
            self._transition,
            request.model,
            actor=request.actor,
            wanted=(request.stage, wanted) if wanted else None,
        )
        if settled is None:
            return None
        await self._publish()
        return settled.promotion.id

    async def _pass(
        self,
        connection: Connection,
        request: PromotionRequest,
        action: Action,
        version: ModelVersion,
        current: str | None,
    ) -> Outcome:
        if request.stage is Stage.PRODUCTION and not request.dry_run:
            await self._announce(connection, request, version)
        candidate = await self._candidate(connection, request, version)
        report = await examine(candidate, request.stage, rollback=action is Action.ROLLBACK)
        if report.failed_gates() == [approval.GATE]:
            raise ApprovalMissing(report)
        if not report.passed:
            raise GateBlocked(report)
        if request.dry_run:
            return replace(_unchanged(request, action, version.version, current), report=report)
        if version.digest is None:
            found = digest.measured(report)
            await asyncio.to_thread(self._registry.set_version_tag, version.name, version.version, tag.DIGEST, found)
            version = replace(version, tags={**version.tags, tag.DIGEST: found})
        return await self._write(connection, request, action, version, current, report=report)

    async def _announce(self, connection: Connection, request: PromotionRequest, version: ModelVersion) -> None:
        """Let serving load the version while the gates run; nothing depends on whether it does."""
        announced = PromotionAnnounced(model=version.name, version=version.version, actor=request.actor)
        await enqueue(connection, CloudEvent.of(announced, source=SOURCE, subject=version.name))
        await self._publish()

    def _needs_approval(self, request: PromotionRequest) -> bool:
        return self._settings.promotion_require_approval and request.stage is Stage.PRODUCTION

    async def _candidate(self, connection: Connection, request: PromotionRequest, version: ModelVersion) -> Candidate:
        async def decisions(digest: str) -> list[Approval]:
            rows = await approvals.on_version(
                connection,
                model=request.model,
                version=version.version,
                stage=request.stage,
                artifact_digest=digest,
            )
            return [read_approval(row) for row in rows]

        model = await asyncio.to_thread(self._registry.get_model, request.model)
        serving = model.aliases.get(PRODUCTION)
        return Candidate(
            registry=self._registry,
            settings=self._settings,
            model=model,
            version=version,
            production=None
            if serving is None
            else await asyncio.to_thread(self._registry.get_version, request.model, serving),
            allow_schema_change=request.allow_schema_change,
            requester=request.actor,
            decisions=decisions if self._needs_approval(request) else None,
        )

    async def _write(
        self,
        connection: Connection,
        request: PromotionRequest,
        action: Action,
        version: ModelVersion,
        current: str | None,
        *,
        report: GateReport | None = None,
    ) -> Outcome:
        promotion_id = await repository.reserve_id(connection)
        uri, files = None, None
        if report is not None:
            files = await asyncio.to_thread(write_files, report)
            uri = await store_files(self._objects, self._settings.s3_bucket, promotion_id, request.model, files)
            self._observe(Step.REPORT)
        lineage = await read_lineage(connection, request.model)
        row = await repository.insert_intent(
            connection,
            promotion_id=promotion_id,
            model=request.model,
            stage=request.stage,
            action=action,
            from_version=current,
            to_version=version.version,
            artifact_digest=version.digest,
            gate_report_uri=uri,
            actor=request.actor,
            identity=request.proof,
            reason=request.reason,
            trace_id=current_trace_id(),
        )
        self._observe(Step.INTENT)
        await self._transition.finish(connection, read_promotion(row), lineage)
        published = await self._publish()
        self._observe(Step.PUBLISHED)
        logged = files is not None and await log_files(self._registry, version, promotion_id, files)
        self._observe(Step.LOGGED)
        return Outcome(
            model=request.model,
            stage=request.stage,
            action=action,
            version=version.version,
            from_version=current,
            changed=True,
            promotion_id=promotion_id,
            report=report,
            report_uri=uri,
            published=published,
            logged=logged,
        )

    def _version(self, request: PromotionRequest) -> ModelVersion:
        if request.version is not None:
            return self._registry.get_version(request.model, request.version)
        versions, _ = self._registry.list_versions(request.model, limit=1)
        if not versions:
            raise PromotionRefused(f"{request.model} has no version. Register one first.")
        return versions[0]


def _unchanged(request: PromotionRequest, action: Action, version: str, current: str | None) -> Outcome:
    return Outcome(
        model=request.model,
        stage=request.stage,
        action=action,
        version=version,
        from_version=current,
        changed=False,
    )


def _compare_and_set(request: PromotionRequest, current: str | None) -> None:
    if request.expect_current is not None and request.expect_current != (current or NOTHING):
        raise PromotionRefused(
            f"The current version of {request.model} is {current or NOTHING}, not {request.expect_current}. "
            "Look at --history who moved it, and try again with another --expect-current."
        )


def _way_back(model: str, lineage: Lineage, current: str | None) -> str:
    recorded = lineage.aliases[PRODUCTION]
    # An alias that was moved by hand, past the ledger, goes back to what the ledger has.
    target = recorded if recorded not in (None, current) else lineage.aliases[PREVIOUS]
    if target is None:
        raise PromotionRefused(
            f"No version of {model} was in production before. Promote one with --stage Production --version N."
        )
    return target
