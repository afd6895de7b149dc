"""Whether the aliases stand where the ledger has them."""

import asyncio
from dataclasses import dataclass
from enum import StrEnum

from mlplatform.registry import repository
from mlplatform.registry.errors import ModelNotFound
from mlplatform.registry.lineage import Lineage
from mlplatform.registry.registry import Registry
from mlplatform.registry.repair import settle
from mlplatform.registry.repository import Connection
from mlplatform.registry.session import connect, locked, read_intent, read_lineage
from mlplatform.registry.settings import PromotionSettings
from mlplatform.registry.transition import Transition


class Problem(StrEnum):
    """What a verification finds."""

    INTERRUPTED = "interrupted"
    FINISHED = "finished"
    WITHDRAWN = "withdrawn"
    MOVED = "moved"
    DELETED = "deleted"
    UNREGISTERED = "unregistered"


SETTLED = frozenset({Problem.FINISHED, Problem.WITHDRAWN, Problem.UNREGISTERED})
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

    async def run(self, *, repair: bool, actor: str, model: str | None = None) -> list[Remark]:
        """Look at one model, or at each that was ever promoted.

        Args:
            repair: Whether to finish or withdraw what was interrupted.
            actor: Who has it repaired.
            model: Which; all when None.

        Raises:
            PromotionRefused: A promotion of the model is under way.
            RegistryUnavailable: MLflow is down.
            psycopg.OperationalError: Postgres is down.
        """
        if model is None:
            async with connect(self._settings) as connection:
                models = await repository.models(connection)
        else:
            models = [model]
        return [remark for name in models for remark in await self._look(name, repair=repair, actor=actor)]

    async def _look(self, model: str, *, repair: bool, actor: str) -> list[Remark]:
        async with locked(self._settings, model) as connection:
            interrupted = await self._interrupted(connection, model, repair=repair, actor=actor)
            if interrupted is not None and interrupted.problem is Problem.INTERRUPTED:
                return [interrupted]
            lineage = await read_lineage(connection, model)
            moved = await asyncio.to_thread(self._moved, model, lineage)
            return moved if interrupted is None else [interrupted, *moved]

    async def _interrupted(self, connection: Connection, model: str, *, repair: bool, actor: str) -> Remark | None:
        intent = await read_intent(connection, model)
        if intent is None:
            return None
        what = f"Promotion {intent.id} ({intent.action} {intent.from_version or 'none'} → {intent.to_version})"
        if not repair:
            message = f"{what} was interrupted. Finish it with: promote_model.py verify --repair"
            return Remark(model, Problem.INTERRUPTED, message)
        settlement = await settle(connection, self._registry, self._transition, model, actor=actor)
        if settlement is not None and settlement.withdrawn is not None:
            return Remark(model, Problem.WITHDRAWN, f"{what} was withdrawn. {settlement.withdrawn}")
        return Remark(model, Problem.FINISHED, f"{what} had been interrupted and is finished now.")

    def _moved(self, model: str, lineage: Lineage) -> list[Remark]:
        try:
            found = self._registry.get_model(model).aliases
        except ModelNotFound:
            return [Remark(model, Problem.UNREGISTERED, "It is not registered any more; the ledger keeps its history.")]
        return [
            self._remark(model, alias, version, found.get(alias))
            for alias, version in lineage.aliases.items()
            if found.get(alias) != version
        ]

    def _remark(self, model: str, alias: str, recorded: str | None, found: str | None) -> Remark:
        if recorded is not None and not self._registry.has_version(model, recorded):
            message = f"Version {recorded}, which the ledger has as @{alias}, was deleted. Promote another."
            return Remark(model, Problem.DELETED, message)
        message = (
            f"@{alias} points to version {found or 'none'}, the ledger has {recorded or 'none'}: it was moved past the "
            "platform. Promote the version that you want."
        )
        return Remark(model, Problem.MOVED, message)
