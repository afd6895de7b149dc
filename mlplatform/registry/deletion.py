"""Deleting a version that nothing needs any more.

MLflow deletes whatever it is told to, and the aliases of a version silently with it. Its artifacts stay in the store in
any case: the run that made the version may still show them.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from mlplatform.audit import AuditLog
from mlplatform.registry import repository
from mlplatform.registry.errors import PromotionRefused
from mlplatform.registry.ledger import Action, Promotion, read_promotion
from mlplatform.registry.lineage import trace_lineage
from mlplatform.registry.model_version import ModelVersion
from mlplatform.registry.promotion import Promoter
from mlplatform.registry.registry import Registry
from mlplatform.registry.repository import Connection
from mlplatform.registry.request import PromotionRequest
from mlplatform.registry.session import locked, read_intent
from mlplatform.registry.settings import PromotionSettings
from mlplatform.registry.stages import PREVIOUS, Stage


@dataclass(frozen=True, slots=True)
class Deletion:
    """What came of it.

    Attributes:
        model: Registered name.
        version: The version.
        changed: False in a dry run.
        archived: The row of the ledger that took it off the way back; None when it was not on it.
    """

    model: str
    version: str
    changed: bool
    archived: int | None = None


class Deleter:
    """Deletes versions.

    Args:
        settings: Where the ledger is, and how long a version is kept after it was in production.
        registry: Where the versions are.
        promoter: Archives them first.
        audit: What deletions are recorded in.
    """

    def __init__(self, settings: PromotionSettings, registry: Registry, promoter: Promoter, audit: AuditLog) -> None:
        self._settings = settings
        self._registry = registry
        self._promoter = promoter
        self._audit = audit

    async def delete(self, request: PromotionRequest) -> Deletion:
        """Delete a version; the audit has a row before it is done and one after, so that a crash between them shows.

        Raises:
            PromotionRefused: Something holds the version.
            NotFound: There is no such version.
            RegistryUnavailable: MLflow is down.
            psycopg.OperationalError: Postgres is down.
        """
        version = await asyncio.to_thread(self._registry.get_version, request.model, str(request.version))
        async with locked(self._settings, request.model) as connection:
            on_way_back = await self._refuse_held(connection, version)
        if request.dry_run:
            return Deletion(request.model, version.version, changed=False)
        archived = None
        if on_way_back:  # takes the lock by itself, like any other promotion
            reason = request.reason or "It is deleted."
            archived = (await self._promoter.archive(replace(request, reason=reason))).promotion_id
        async with locked(self._settings, request.model) as connection:
            await self._refuse_held(connection, version)
            await self._record(connection, request, version, "begun")
            await asyncio.to_thread(self._registry.delete_version, request.model, version.version)
            await self._record(connection, request, version, "done")
        return Deletion(request.model, version.version, changed=True, archived=archived)

    async def _refuse_held(self, connection: Connection, version: ModelVersion) -> bool:
        """Refuse when something holds the version; else say whether a rollback could reach it."""
        done = [read_promotion(row) for row in await repository.done(connection, version.name)]
        found = await asyncio.to_thread(self._registry.get_version, version.name, version.version)
        holds = [f"the alias @{alias} points to it" for alias in sorted(found.aliases)]
        lineage = trace_lineage(done)
        recorded = {alias: number for alias, number in lineage.aliases.items() if alias != PREVIOUS}
        holds += [
            f"the ledger has it as @{alias}"
            for alias, number in recorded.items()
            if number == version.version and alias not in found.aliases
        ]
        intent = await read_intent(connection, version.name)
        if intent is not None and version.version in (intent.from_version, intent.to_version):
            holds.append(f"promotion {intent.id} was interrupted (promote_model.py verify --repair)")
        left, keep = left_production(done, version.version), self._settings.promotion_keep_live
        if left is not None and datetime.now(UTC) - left < keep:
            holds.append(
                f"it was in production until {left:%Y-%m-%d %H:%M} UTC, and is kept until {_until(left, keep)}"
            )
        if await repository.in_traffic(connection, version.name, version.version):
            holds.append("traffic is routed to it")
        if holds:
            raise PromotionRefused(f"{version.name} version {version.version} cannot be deleted: {'; '.join(holds)}.")
        return version.version in lineage.way_back

    async def _record(
        self, connection: Connection, request: PromotionRequest, version: ModelVersion, outcome: str
    ) -> None:
        await self._audit.record(
            action="model.version_deleted",
            resource=f"models/{request.model}",
            outcome=outcome,
            actor=request.actor,
            detail={
                "version": version.version,
                "digest": version.digest,
                "source": version.source,
                "run_id": version.run_id,
                "reason": request.reason,
                "identity": request.proof,
            },
            connection=connection,
        )


def left_production(done: Iterable[Promotion], version: str) -> datetime | None:
    """Say when a version last left production; None when it never was there, or is there still.

    Args:
        done: What was done to the model, oldest first.
        version: Which version.
    """
    current: str | None = None
    left: datetime | None = None
    for promotion in done:
        before = current
        if promotion.action is Action.ARCHIVE:
            current = None if promotion.to_version == current else current
        elif promotion.stage is Stage.PRODUCTION:
            current = promotion.to_version
        if before == version != current:
            left = promotion.committed_at
    return None if current == version else left


def _until(left: datetime, keep: timedelta) -> str:
    return f"{left + keep:%Y-%m-%d %H:%M} UTC (ML_PROMOTION_KEEP_LIVE)"
