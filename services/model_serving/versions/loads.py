"""Loads of versions: each once, however many wait for it, and within the memory there is."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from structlog import get_logger

from mlplatform.registry.model_version import ModelVersion
from services.model_serving.engine.loaded_model import LoadedModel, ModelIdentity
from services.model_serving.errors import reason
from services.model_serving.loading.background import attempt
from services.model_serving.loading.loader import ModelLoader
from services.model_serving.metrics import LOAD_DURATION, LOAD_FAILURES
from services.model_serving.versions.leases import Leases
from services.model_serving.versions.room import NoRoomError, Reservation, Room, TooBigError

MOST_SIZES = 1024

Place = Callable[[LoadedModel], None]
Source = ModelVersion | ModelIdentity

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Loading:
    """A load under way."""

    task: "asyncio.Task[LoadedModel | BaseException]"
    evicting: bool
    sparing: bool


class Loads:
    """Loads versions.

    Args:
        loader: how to.
        room: what must not be exceeded.
        leases: keep the artifacts of what is loaded.
        executor: threads that load.
    """

    def __init__(self, *, loader: ModelLoader, room: Room, leases: Leases, executor: Executor) -> None:
        self._loader = loader
        self._room = room
        self._leases = leases
        self._executor = executor
        self._loading: dict[ModelIdentity, Loading] = {}
        self._sizes: dict[str, int] = {}

    async def load(
        self,
        source: Source,
        place: Place,
        *,
        evicting: bool,
        sparing: bool = False,
        replaced: LoadedModel | None = None,
    ) -> LoadedModel | BaseException:
        """Load a version, or wait for the load of it that is under way; a caller that leaves does not end it.

        Args:
            source: which one; an identity stands for a version that was loaded before, when MLflow is down.
            place: puts the loaded version into the store, at the moment at which its reservation ends. A load under
                way calls the one of whoever began it.
            evicting: whether versions in production, and held ones, may have to leave memory for it.
            sparing: whether held versions, and what is in production beside them, stay nevertheless.
            replaced: the version that it takes the place of.

        Returns:
            The version, or why it could not be loaded.
        """
        identity = self._identify(source)
        while True:
            under_way = self._loading.get(identity)
            if under_way is None:
                work = self._load(identity, source, place, evicting=evicting, sparing=sparing, replaced=replaced)
                task = asyncio.create_task(work)
                under_way = self._loading[identity] = Loading(task, evicting, sparing)
                task.add_done_callback(lambda _: self._loading.pop(identity))
            await asyncio.wait({under_way.task})
            outcome = under_way.task.result()
            reaches_further = evicting and (not under_way.evicting or (under_way.sparing and not sparing))
            if isinstance(outcome, NoRoomError) and reaches_further:
                continue  # whoever began it would not have others leave for it; this caller would
            return outcome

    async def prefetch(self, version: ModelVersion) -> BaseException | None:
        """Bring the artifacts of a version to the disk, for a load that is to come; return what went wrong."""
        outcome = await attempt(self._executor, lambda: self._loader.fetch(version))
        return outcome if isinstance(outcome, BaseException) else None

    async def close(self) -> None:
        """Wait for the loads under way."""
        if self._loading:
            await asyncio.wait({loading.task for loading in self._loading.values()})

    def _identify(self, source: Source) -> ModelIdentity:
        return source if isinstance(source, ModelIdentity) else self._loader.identify(source)

    async def _load(
        self,
        identity: ModelIdentity,
        source: Source,
        place: Place,
        *,
        evicting: bool,
        sparing: bool,
        replaced: LoadedModel | None,
    ) -> LoadedModel | BaseException:
        started = time.perf_counter()
        self._leases.hold(identity.key)
        reservation = self._room.reserve()
        outcome = await self._bring_in(
            identity, source, reservation, evicting=evicting, sparing=sparing, replaced=replaced
        )
        if isinstance(outcome, BaseException):
            self._room.release(reservation)
            self._leases.let_go(identity.key)
            if not isinstance(outcome, NoRoomError):
                LOAD_FAILURES.labels(identity.name).inc()
                log.error("model_load_failed", model=identity.name, version=identity.version, reason=reason(outcome))
            return outcome
        place(outcome)
        self._room.release(reservation)
        self._room.settle()
        LOAD_DURATION.labels(identity.name).observe(time.perf_counter() - started)
        return outcome

    async def _bring_in(
        self,
        identity: ModelIdentity,
        source: Source,
        reservation: Reservation,
        *,
        evicting: bool,
        sparing: bool,
        replaced: LoadedModel | None,
    ) -> LoadedModel | BaseException:
        make = partial(self._room.make, reservation, evicting=evicting, sparing=sparing, replaced=replaced)
        fetched = await attempt(self._executor, lambda: self._fetch(source))
        if isinstance(fetched, BaseException):
            return fetched
        folder, on_disk = fetched
        try:
            expected = self._sizes.get(identity.key, on_disk)
            await make(expected)
            model = await attempt(self._executor, lambda: self._loader.open(folder, identity))
            if isinstance(model, BaseException):
                return model
            self._remember(model)
            await make(model.size)
        except (NoRoomError, TooBigError) as error:
            return error
        return model

    def _fetch(self, source: Source) -> tuple[Path, int]:
        folder = self._loader.fetch(source)
        return folder, sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())

    def _remember(self, model: LoadedModel) -> None:
        """Note what a version takes, which is known only once it is loaded."""
        while len(self._sizes) >= MOST_SIZES:
            del self._sizes[next(iter(self._sizes))]
        self._sizes[model.identity.key] = model.size
