"""Keeps in memory the models of the spaces that there are, and has a promotion become a space."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import psycopg
import structlog

from mlplatform.audit import AuditLog
from mlplatform.database import Database
from mlplatform.errors import PlatformError
from mlplatform.events import Beat
from mlplatform.events.outage import Outage
from mlplatform.registry.registry import Registry
from mlplatform.registry.stages import PRODUCTION
from mlplatform.spaces import changes, repository
from mlplatform.spaces.busy import BUSY
from mlplatform.spaces.indexes.index import IndexState
from mlplatform.spaces.space import SpaceRecord, SpaceState
from services.embedding import metrics, model_files, registration
from services.embedding.errors import ModelUnreadable
from services.embedding.filling.repository import note_problem
from services.embedding.model_files import ModelFiles
from services.embedding.package import WeightsChangedError
from services.embedding.served_model import ServedModel, Target
from services.embedding.settings import EmbeddingSettings
from services.embedding.shelf import Shelf

SILENCE = timedelta(hours=1)
"""A node that said nothing for so long is forgotten."""
AGAIN_SECONDS = 30.0
"""Until another try with a space whose model could not be loaded."""
ACTOR = "embedding"
PRECEDENCE = (SpaceState.ACTIVE, SpaceState.STANDBY, SpaceState.BUILDING)
"""Whose models come first when memory is short."""
FAULTS = (PlatformError, WeightsChangedError, psycopg.errors.InvalidParameterValue, OSError, ValueError)
"""What may be wrong with one model while the others work."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Holdings:
    """The spaces that this node can embed for.

    Attributes:
        active: The one that is searched, None while it is not known or its model is not in memory.
        others: Those that are filled beside it.
    """

    active: Target | None = None
    others: tuple[Target, ...] = ()


class Keeper:
    """Looks at the spaces from time to time, and changes what is in memory accordingly.

    Args:
        settings: Settings of the service.
        database: Where the spaces are.
        registry: Where the models are.
        shelf: The models in memory.
        node: Name of this node.

    Attributes:
        holdings: The spaces that this node can embed for.
        problem: Why this node cannot embed queries; None when it can.
    """

    def __init__(
        self, settings: EmbeddingSettings, database: Database, registry: Registry, shelf: Shelf, node: str
    ) -> None:
        self._settings = settings
        self._database = database
        self._registry = registry
        self._shelf = shelf
        self._node = node
        self._beat = Beat(settings.embedding_space_interval)
        self._again: dict[int, float] = {}
        self._ask_registry_at = 0.0
        self.holdings = Holdings()
        self.problem: str | None = None

    def wake(self) -> None:
        """Look at once."""
        self._beat.wake()

    def stop(self) -> None:
        """Let `run` return after the look at hand."""
        self._beat.stop()

    async def run(self) -> None:
        """Look until stopped, through outages of Postgres and the registry."""
        outage = Outage("embedding spaces")
        async for _ in self._beat:
            try:
                await self.look()
            except (psycopg.Error, PlatformError) as error:
                outage.failed(error)
            else:
                outage.ended()
        try:
            async with self._database.transaction() as connection:
                await repository.remove_node(connection, self._node)
        except (psycopg.Error, PlatformError):
            log.info("embedding.node_not_removed")  # the others forget it when it is silent

    async def look(self) -> None:
        """Look once.

        Raises:
            psycopg.Error: Postgres does not answer.
            PlatformError: The same, when no connection can be had.
        """
        await self._note_promotion()
        records = await changes.list_spaces(self._database)
        if any([await self._define(record) for record in records if record.state is SpaceState.PLANNED]):
            records = await changes.list_spaces(self._database)
        targets: list[tuple[SpaceRecord, Target]] = []
        for record in sorted(
            (record for record in records if record.state in PRECEDENCE), key=lambda one: PRECEDENCE.index(one.state)
        ):
            model = await self._load(record)
            if model is not None and record.space is not None:
                targets.append((record, Target(record.space, model.batcher)))
        self.holdings = Holdings(
            next((target for record, target in targets if record.state is SpaceState.ACTIVE), None),
            tuple(target for record, target in targets if record.state is not SpaceState.ACTIVE),
        )
        active = next((record for record in records if record.state is SpaceState.ACTIVE), None)
        unheld = active is not None and self.holdings.active is None
        self.problem = f"space {active.id} is searched, and its model is not in memory" if active and unheld else None
        await self._shelf.keep({record.digest for record in records if record.digest is not None})
        async with self._database.transaction() as connection:
            await repository.save_node(connection, self._node, [record.id for record, _ in targets], SILENCE)
        _measure(records, {record.id for record, _ in targets})

    async def _note_promotion(self) -> None:
        """Plan a space when another version was promoted. Without the registry there is nothing to note."""
        if time.monotonic() < self._ask_registry_at:
            return
        self._ask_registry_at = time.monotonic() + self._settings.embedding_promotion_interval.total_seconds()
        try:
            version = await asyncio.to_thread(self._registry.find_alias, registration.MODEL, PRODUCTION)
        except PlatformError as error:
            log.info("embedding.production_unknown", reason=str(error))
            return
        if version is None:
            return
        try:
            async with self._database.transaction() as connection:
                if await repository.note_production(connection, registration.MODEL, version):
                    await self._plan(connection, version)
        except BUSY:
            self._ask_registry_at = 0.0  # the transaction is undone, and noted again at the next look

    async def _plan(self, connection: repository.Connection, version: str) -> None:
        space_id = await repository.plan_space(connection, registration.MODEL, version, ACTOR)
        record = await _read(connection, space_id)
        if record is None or record.state is SpaceState.ACTIVE:
            return
        await repository.follow_space(connection, registration.MODEL, space_id)
        if record.state is SpaceState.PLANNED:
            await AuditLog(self._database).record(
                action="space.planned",
                resource=f"space/{space_id}",
                actor=ACTOR,
                detail={"model": registration.MODEL, "version": version, "promoted": True},
                connection=connection,
            )
        log.info("embedding.space_planned", space=space_id, version=version)

    async def _define(self, record: SpaceRecord) -> bool:
        """Load the model of a planned space and give the space its table.

        Returns:
            Whether it was done.
        """

        async def work() -> None:
            files = await self._fetch(record)
            model = await self._shelf.load(files, needed=False)
            async with self._database.transaction() as connection:
                await repository.define_space(
                    connection,
                    record.id,
                    files.digest,
                    model.encoder.dimension,
                    live_items=self._settings.live_items,
                )

        return await self._attempt(record, work)

    async def _load(self, record: SpaceRecord) -> ServedModel | None:
        found = None if record.digest is None else self._shelf.find(record.digest)
        if found is not None:
            return found
        needed = record.state is SpaceState.ACTIVE

        async def work() -> None:
            files = await self._fetch(record)
            if files.digest != record.digest:
                raise ValueError(
                    f"version {record.version} of {record.model} has other weights than the space was made with: "
                    "register those again"
                )
            await self._shelf.load(files, needed=needed)

        await self._attempt(record, work)
        return None if record.digest is None else self._shelf.find(record.digest)

    async def _attempt(self, record: SpaceRecord, work: Callable[[], Awaitable[None]]) -> bool:
        """Do something for one space; when that fails, say why where the operator looks, and wait a while."""
        if time.monotonic() < self._again.get(record.id, 0.0):
            return False
        try:
            await work()
        except BUSY:
            return False
        except FAULTS as error:
            self._again[record.id] = time.monotonic() + AGAIN_SECONDS
            await self._say(record.id, problem_of(error))
            log.warning("embedding.space_failed", space=record.id, reason=str(error), error=type(error).__name__)
            return False
        self._again.pop(record.id, None)
        await self._say(record.id, None)
        return True

    async def _say(self, space_id: int, problem: str | None) -> None:
        async with self._database.transaction() as connection:
            await note_problem(connection, space_id, None if problem is None else f"{self._node}: {problem}")

    async def _fetch(self, record: SpaceRecord) -> ModelFiles:
        cache = self._settings.model_cache
        return await asyncio.to_thread(model_files.fetch, self._registry, cache, record.version, model=record.model)


def problem_of(error: Exception) -> str:
    """Return what an operator may read of what went wrong."""
    if isinstance(error, ModelUnreadable):
        return f"{error.detail} {error.__cause__}"
    if isinstance(error, PlatformError):
        return error.detail
    if isinstance(error, psycopg.Error):
        return error.diag.message_primary or "Postgres refused it"
    return str(error) or type(error).__name__


async def _read(connection: repository.Connection, space_id: int) -> SpaceRecord | None:
    rows = await repository.list_spaces(connection, retired=False)
    return next((SpaceRecord.of(row) for row in rows if row["id"] == space_id), None)


def _measure(records: list[SpaceRecord], held: set[int]) -> None:
    metrics.SPACE_STATE.clear()
    metrics.SPACE_PROBLEM.clear()
    metrics.INDEX_VALID.clear()
    metrics.INDEX_BUILD.clear()
    for record in records:
        metrics.SPACE_STATE.labels(str(record.id), record.version, record.state.value).set(1)
        metrics.SPACE_PROBLEM.labels(str(record.id)).set(record.id not in held)
        if record.index is not None:
            metrics.INDEX_VALID.labels(str(record.id)).set(record.index.state is IndexState.VALID)
            if record.index.build is not None:
                metrics.INDEX_BUILD.labels(str(record.id), record.index.build.phase).set(record.index.build.share)
