"""Whether the aliases stand where the ledger has them, and whether the stage fields say so too."""

import asyncio
from dataclasses import dataclass
from enum import StrEnum

from mlplatform.registry import repository
from mlplatform.registry.drift.incident import DriftKind, find_drift
from mlplatform.registry.errors import ModelNotFound
from mlplatform.registry.identity import Identity
from mlplatform.registry.ledger import Action, State
from mlplatform.registry.lineage import Lineage
from mlplatform.registry.mirror import find_stage_drift, mirror_again
from mlplatform.registry.registry import Registry
from mlplatform.registry.repair import settle
from mlplatform.registry.repository import Connection
from mlplatform.registry.session import connect, locked, read_intent, read_lineage
from mlplatform.registry.settings import PromotionSettings
from mlplatform.registry.stages import Stage
from mlplatform.registry.trace_id import current_trace_id
from mlplatform.registry.transition import Transition


class Problem(StrEnum):
    """What a verification finds."""

    INTERRUPTED = "interrupted"
    FINISHED = "finished"
    WITHDRAWN = "withdrawn"
    MOVED = "moved"
    DELETED = "deleted"
    UNREGISTERED = "unregistered"
    UNMIRRORED = "unmirrored"
    MIRRORED = "mirrored"


SETTLED = frozenset({Problem.FINISHED, Problem.WITHDRAWN, Problem.UNREGISTERED, Problem.MIRRORED})
"""What needs nobody's attention any more."""


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that is not as the ledger has it, or was not.

    Attributes:
        model: Registered name.
        problem: What.
        message: What was found, and how to mend it.
    """

    model: str
    problem: Problem
    message: str


class Verification:
    """Compares the ledger with the registry.

    Args:
        settings: Where the ledger is.
        registry: Where the aliases are.
        transition: Finishes what was interrupted.
    """

    def __init__(self, settings: PromotionSettings, registry: Registry, transition: Transition) -> None:
        self._settings = settings
        self._registry = registry
        self._transition = transition

    async def run(self, *, repair: bool, actor: Identity, model: str | None = None) -> list[Remark]:
        """Look at one model, or at each that was ever promoted.

        Args:
            repair: Whether to finish or withdraw what was interrupted, and to mirror stages again.
            actor: Who has it repaired.
            model: Which; all when None.

        Raises:
            PromotionRefused: A promotion of the model is under way.
            RegistryRefused: MLflow will not have a stage mirrored.
            RegistryUnavailable: MLflow is down.
            psycopg.OperationalError: Postgres is down.
        """
        if model is None:
            async with connect(self._settings) as connection:
                models = await repository.models(connection)
        else:
            models = [model]
        return [remark for name in models for remark in await self._look(name, repair=repair, actor=actor)]

    async def _look(self, model: str, *, repair: bool, actor: Identity) -> list[Remark]:
        async with locked(self._settings, model) as connection:
            interrupted = await self._interrupted(connection, model, repair=repair, actor=actor)
            if interrupted is not None and interrupted.problem is Problem.INTERRUPTED:
                return [interrupted]
            moved = await self._moved(connection, model, repair=repair, actor=actor)
            return moved if interrupted is None else [interrupted, *moved]

    async def _interrupted(self, connection: Connection, model: str, *, repair: bool, actor: Identity) -> Remark | None:
        intent = await read_intent(connection, model)
        if intent is None:
            return None
        what = f"Promotion {intent.id} ({intent.action} {intent.from_version or 'none'} → {intent.to_version})"
        if not repair:
            message = f"{what} was interrupted. Finish it with: promote_model.py verify --repair"
            return Remark(model, Problem.INTERRUPTED, message)
        settlement = await settle(connection, self._registry, self._transition, model, actor=actor.name)
        if settlement is not None and settlement.withdrawn is not None:
            return Remark(model, Problem.WITHDRAWN, f"{what} was withdrawn. {settlement.withdrawn}")
        return Remark(model, Problem.FINISHED, f"{what} had been interrupted and is finished now.")

    async def _moved(self, connection: Connection, model: str, *, repair: bool, actor: Identity) -> list[Remark]:
        lineage = await read_lineage(connection, model)
        try:
            found = (await asyncio.to_thread(self._registry.get_model, model)).aliases
        except ModelNotFound:
            if repair:
                await self._close_books(connection, model, lineage, actor)
            return [Remark(model, Problem.UNREGISTERED, "It is not registered any more; the ledger keeps its history.")]
        drifts = await asyncio.to_thread(
            find_drift,
            model,
            lineage.aliases,
            found,
            exists=lambda version: self._registry.has_version(model, version),
        )
        moved = [
            Remark(model, Problem.DELETED if drift.kind is DriftKind.DELETED else Problem.MOVED, drift.message)
            for drift in drifts
        ]
        return [*moved, *await asyncio.to_thread(self._compare_stages, model, lineage, repair=repair)]

    def _compare_stages(self, model: str, lineage: Lineage, *, repair: bool) -> list[Remark]:
        drifts = find_stage_drift(lineage, self._registry.all_versions(model))
        if repair:
            mirror_again(self._registry, model, drifts)
        problem = Problem.MIRRORED if repair else Problem.UNMIRRORED
        remedy = "It was mirrored again." if repair else "Mirror it again with: promote_model.py verify --repair"
        return [
            Remark(
                model,
                problem,
                f"MLflow's stage field of version {drift.version} said {drift.found}, the ledger has {drift.recorded}. "
                f"{remedy}",
            )
            for drift in drifts
        ]

    async def _close_books(self, connection: Connection, model: str, lineage: Lineage, actor: Identity) -> None:
        """Note that what stood somewhere stands nowhere any more; nobody is to be told, since nothing serves it."""
        for version in dict.fromkeys([lineage.production, lineage.staging, *lineage.way_back]):
            if version is None:
                continue
            promotion_id = await repository.reserve_id(connection)
            async with connection.transaction():
                await repository.insert_intent(
                    connection,
                    promotion_id=promotion_id,
                    model=model,
                    stage=Stage.ARCHIVED,
                    action=Action.ARCHIVE,
                    from_version=version if version == lineage.production else None,
                    to_version=version,
                    artifact_digest=None,
                    gate_report_uri=None,
                    actor=actor.name,
                    identity=actor.proof,
                    reason="The model is not registered any more.",
                    trace_id=current_trace_id(),
                )
                await repository.close(connection, promotion_id, State.REPAIRED)
