"""From an intent in the ledger to aliases that agree with it, and to the commit that says so."""

import asyncio
from contextlib import suppress

from mlplatform.audit import AuditLog
from mlplatform.events import CloudEvent, ModelPromoted, enqueue
from mlplatform.registry import repository
from mlplatform.registry.errors import ModelNotFound, PromotionRefused, RegistryRefused
from mlplatform.registry.ledger import Action, Promotion, State
from mlplatform.registry.lineage import Lineage
from mlplatform.registry.registry import Registry
from mlplatform.registry.repository import Connection
from mlplatform.registry.stages import NO_STAGE, PREVIOUS, PRODUCTION, STAGING
from mlplatform.registry.steps import Observer, Step

SOURCE = "promote-model"
AUDIT_ACTIONS = {
    Action.PROMOTE: "model.promoted",
    Action.ROLLBACK: "model.rolled_back",
    Action.ARCHIVE: "model.archived",
}
UNRECORDED = "unrecorded"
"""Digest in the event of a version that was archived without ever having had one."""


class Transition:
    """Carries intents out. Every step may be done again, so that an interrupted one can be finished.

    Args:
        registry: Where the aliases are.
        audit: What commits are recorded in.
        observe: Told of each step when it is done.
    """

    def __init__(self, registry: Registry, audit: AuditLog, observe: Observer) -> None:
        self._registry = registry
        self._audit = audit
        self._observe = observe

    async def finish(
        self, connection: Connection, promotion: Promotion, lineage: Lineage, repaired_by: str | None = None
    ) -> None:
        """Do what an intent says and commit it; the caller holds the lock.

        Args:
            connection: Holds the lock.
            promotion: The intent.
            lineage: Where the versions stood before it.
            repaired_by: Who finishes it after a crash.

        Raises:
            PromotionRefused: Somebody moves the alias meanwhile; the intent is withdrawn.
            RegistryRefused: MLflow will not do it; the intent is withdrawn.
            RegistryUnavailable: MLflow is down; the intent stays open.
            psycopg.OperationalError: Postgres is down; the intent stays open.
        """
        after = lineage.after(promotion)
        try:
            await self._move(promotion, after)
        except (PromotionRefused, RegistryRefused) as error:
            await self.withdraw(connection, promotion, lineage, error.detail)
            raise
        await self._commit(connection, promotion, repaired_by)
        self._observe(Step.COMMITTED)

    async def withdraw(self, connection: Connection, promotion: Promotion, lineage: Lineage, failure: str) -> None:
        """Close an intent as failed, with the aliases that it moved put back to where the ledger has them."""
        for put_back in (self._put_back, self._mirror_back):
            # A deleted model has no aliases; and what MLflow will not do, a verification finds.
            with suppress(ModelNotFound, RegistryRefused):
                await asyncio.to_thread(put_back, promotion, lineage)
        await repository.close(connection, promotion.id, State.FAILED, failure)

    async def _move(self, promotion: Promotion, after: Lineage) -> None:
        await asyncio.to_thread(self._point, promotion.model, PREVIOUS, after.aliases[PREVIOUS])
        self._observe(Step.PREVIOUS)
        # Before the alias, since nothing that serves reads the stage: no slow call lies between alias and event.
        await asyncio.to_thread(self._mirror, promotion, after)
        self._observe(Step.MIRROR)
        await asyncio.to_thread(self._move_alias, promotion)
        self._observe(Step.ALIAS)
        await asyncio.to_thread(self._verify, promotion)
        self._observe(Step.VERIFIED)

    def _point(self, model: str, alias: str, version: str | None) -> None:
        """Point an alias at a version, or nowhere when there is none or it was deleted."""
        found = self._registry.find_alias(model, alias)
        if found == version:
            return
        if version is not None and self._registry.has_version(model, version):
            self._registry.set_alias(model, alias, version)
        elif found is not None:
            self._registry.delete_alias(model, alias)

    def _put_back(self, promotion: Promotion, lineage: Lineage) -> None:
        found = self._registry.get_model(promotion.model).aliases
        self._point(promotion.model, PREVIOUS, lineage.aliases[PREVIOUS])
        for alias in _aliases(promotion, lineage):
            # MLflow takes the aliases of a version away when it is deleted. What somebody moved stays where it is.
            if alias not in found and lineage.aliases[alias] is not None:
                self._point(promotion.model, alias, lineage.aliases[alias])

    def _mirror_back(self, promotion: Promotion, lineage: Lineage) -> None:
        """Put the stages back that were mirrored for a promotion which is not to be."""
        model, version = promotion.model, promotion.to_version
        holders = [lineage.aliases[alias] for alias in _aliases(promotion, lineage)]
        for holder in holders:
            if holder is not None and self._registry.has_version(model, holder):
                self._registry.mirror_stage(model, holder, lineage.stage_of(holder))
        if promotion.stage.alias is not None and version not in holders and self._registry.has_version(model, version):
            self._registry.mirror_stage(model, version, lineage.known_stage_of(version) or NO_STAGE)

    def _move_alias(self, promotion: Promotion) -> None:
        if promotion.stage.alias is not None:
            self._registry.set_alias(promotion.model, promotion.stage.alias, promotion.to_version)
            return
        for alias in self._held(promotion):
            self._registry.delete_alias(promotion.model, alias)

    def _mirror(self, promotion: Promotion, after: Lineage) -> None:
        self._registry.mirror_stage(promotion.model, promotion.to_version, after.stage_of(promotion.to_version))
        left = promotion.from_version
        # MLflow archived the version that had the stage, which may be in the other stage still.
        if left is not None and after.stage_of(left).alias is not None and left != promotion.to_version:
            self._registry.mirror_stage(promotion.model, left, after.stage_of(left))

    def _verify(self, promotion: Promotion) -> None:
        if promotion.stage.alias is None:
            if held := self._held(promotion):
                raise PromotionRefused(
                    f"@{held[0]} of {promotion.model} points to version {promotion.to_version} again: somebody moved "
                    "it meanwhile, past the platform. Archive it again."
                )
            return
        found = self._registry.find_alias(promotion.model, promotion.stage.alias)
        if found != promotion.to_version:
            raise PromotionRefused(
                f"@{promotion.stage.alias} of {promotion.model} points to version {found or 'none'}, not to "
                f"{promotion.to_version}: somebody moved it meanwhile, past the platform. Promote again."
            )

    def _held(self, promotion: Promotion) -> list[str]:
        aliases = self._registry.get_model(promotion.model).aliases
        return [alias for alias in (PRODUCTION, STAGING) if aliases.get(alias) == promotion.to_version]

    async def _commit(self, connection: Connection, promotion: Promotion, repaired_by: str | None) -> None:
        event = CloudEvent.of(
            ModelPromoted(
                model=promotion.model,
                stage=promotion.stage,
                version=promotion.to_version,
                previous_version=promotion.from_version,
                digest=promotion.artifact_digest or UNRECORDED,
                actor=promotion.actor,
                promotion_id=promotion.id,
            ),
            source=SOURCE,
            subject=promotion.model,
        )
        detail = {
            "promotion_id": promotion.id,
            "stage": promotion.stage,
            "from_version": promotion.from_version,
            "to_version": promotion.to_version,
            "digest": promotion.artifact_digest,
            "reason": promotion.reason,
            "identity": promotion.identity,
        }
        async with connection.transaction():
            state = State.COMMITTED if repaired_by is None else State.REPAIRED
            await repository.close(connection, promotion.id, state)
            await enqueue(connection, event)
            await self._audit.record(
                action=AUDIT_ACTIONS[promotion.action],
                resource=f"models/{promotion.model}",
                actor=promotion.actor,
                detail=detail if repaired_by is None else {**detail, "repaired_by": repaired_by},
                connection=connection,
            )


def _aliases(promotion: Promotion, lineage: Lineage) -> list[str]:
    """Give the aliases that a promotion moves: that of its stage, or those of the version that it archives."""
    if promotion.stage.alias is not None:
        return [promotion.stage.alias]
    return [alias for alias in (PRODUCTION, STAGING) if lineage.aliases[alias] == promotion.to_version]
