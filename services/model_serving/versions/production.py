"""Brings into memory what is in production, and keeps the last version that could be loaded."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from structlog import get_logger

from mlplatform.registry.model_version import ModelVersion
from mlplatform.registry.registry import Registry
from services.model_serving.engine.loaded_model import LoadedModel, ModelIdentity
from services.model_serving.errors import ModelNotLoadedError, reason
from services.model_serving.loading.background import attempt
from services.model_serving.metrics import ALIAS_MISSING, ON_DISK, SWAP_DURATION
from services.model_serving.versions.failures import Failure, failed
from services.model_serving.versions.image import Image
from services.model_serving.versions.last_known import LastKnown
from services.model_serving.versions.loads import Loads, Place, Source
from services.model_serving.versions.retirement import Retirement
from services.model_serving.versions.room import NoRoomError
from services.model_serving.versions.store import LoadedModels

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the registry says is in production; `created` tells a model apart from a deleted one of the same name."""

    version: str
    created: datetime


class Production:
    """The versions in production, in memory as far as there is room.

    At start, and when a version is promoted, models are loaded while they fit; those that do not are loaded when they
    are asked for, and then the ones that were not used for the longest time leave.

    Args:
        registry: knows single versions.
        loads: loads them.
        store: where they go.
        retirement: where replaced versions go.
        last_known: what a restart without MLflow starts from.
        retry: seconds until a load that failed is tried again, the first time.
        patience: seconds a request waits for a load.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        loads: Loads,
        store: LoadedModels,
        retirement: Retirement,
        last_known: LastKnown,
        retry: float,
        patience: float,
    ) -> None:
        self._registry = registry
        self._loads = loads
        self._store = store
        self._retirement = retirement
        self._last_known = last_known
        self._retry = retry
        self._patience = patience
        self._wanted: Mapping[str, Wanted] = {}
        self._settled: dict[str, Wanted] = {}
        self._sources: dict[str, ModelVersion] = {}
        self._good: dict[str, ModelIdentity] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._demands: dict[str, asyncio.Task[LoadedModel | BaseException]] = {}
        self._writing = asyncio.Lock()
        self.failures: dict[str, Failure] = {}
        """Model → why the version of it that is in production is not served."""
        self.missing: frozenset[str] = frozenset()
        """Models that are served although the registry has no version of them in production any more."""

    @property
    def known(self) -> frozenset[str]:
        """The models of which a version is served, in memory or from disk at the next request."""
        return frozenset(self._good) | frozenset(self._wanted)

    @property
    def on_disk(self) -> frozenset[str]:
        """The models in production that the next request for them has to load."""
        return self.known - frozenset(self._store.production) - frozenset(self.failures) - frozenset(self._tasks)

    def adopt(self, model: LoadedModel) -> None:
        """Start with a version that is in memory already."""
        self._place(model)

    def differs(self, image: Image) -> bool:
        """Whether a version was promoted since an image was loaded."""
        return any(model.identity not in image.considered for model in self._store.production.values())

    def want(self, wanted: Mapping[str, Wanted]) -> None:
        """Take note of everything that is in production now, and begin to bring it in."""
        self._wanted = dict(wanted)
        self._note_missing()
        noticed = time.perf_counter()
        for name in sorted(wanted, key=lambda name: (not self._store.is_pinned(name), name)):
            self._ensure(name, noticed, None)
        ON_DISK.set(len(self.on_disk))

    def want_one(self, name: str, wanted: Wanted, version: ModelVersion, noticed: float) -> None:
        """Take note of one model's version, and begin to bring it in."""
        self._wanted = {**self._wanted, name: wanted}
        self._note_missing()
        self._ensure(name, noticed, version)

    def forgive(self, name: str) -> None:
        """Let a version that could not be loaded be tried again at once."""
        self.failures.pop(name, None)

    async def settle(self) -> None:
        """Wait for the loads that were begun by now."""
        if self._tasks:
            await asyncio.wait(set(self._tasks.values()))

    async def demand(self, name: str) -> LoadedModel:
        """Return the production version of a model, loading it when it is not in memory.

        Raises:
            ModelNotLoadedError: it cannot be loaded, or it is still being loaded when patience ends.
        """
        failure = self.failures.get(name)
        if failure is not None and name not in self._good:
            raise ModelNotLoadedError(
                f"Model {name!r} version {failure.version} could not be loaded. {failure.reason}",
                retry_after=failure.seconds_left,
            )
        task = self._demands.get(name)
        if task is None:
            task = self._demands[name] = asyncio.create_task(self._fetch_back(name))
            task.add_done_callback(lambda _: self._demands.pop(name))
        done, _ = await asyncio.wait({task}, timeout=self._patience)
        if not done:
            raise ModelNotLoadedError(f"Model {name!r} is being loaded; try again shortly.")
        outcome = task.result()
        if isinstance(outcome, LoadedModel):
            return outcome
        detail = f"Model {name!r} could not be loaded. {reason(outcome)}"
        raise ModelNotLoadedError(detail, retry_after=1.0 if isinstance(outcome, NoRoomError) else self._retry)

    async def restore(self) -> None:
        """Serve what was in production before a restart, from the artifacts on disk, as long as MLflow is down."""
        for identity in await asyncio.to_thread(self._last_known.read):
            if identity.name in self._good:
                continue
            model = await self._loads.load(identity, self._swap_in_for(identity.name), evicting=False)
            if isinstance(model, LoadedModel):
                self._good.setdefault(identity.name, identity)
                log.warning("model_restored", model=identity.name, version=identity.version)
            elif isinstance(model, NoRoomError):
                self._good[identity.name] = identity
            else:
                self.failures[identity.name] = failed(None, identity.version, reason(model), self._retry)

    async def close(self) -> None:
        """Wait for what is being brought in."""
        await self.settle()
        if self._demands:
            await asyncio.wait(set(self._demands.values()))

    def _ensure(self, name: str, noticed: float, version: ModelVersion | None) -> None:
        wanted = self._wanted[name]
        present = self._store.production.get(name)
        if self._settled.get(name) == wanted and (present is None or present.identity.version == wanted.version):
            self.failures.pop(name, None)
            return
        failure = self.failures.get(name)
        if failure is not None and failure.version == wanted.version and failure.seconds_left:
            return
        if name not in self._tasks:
            task = asyncio.create_task(self._bring_in(name, wanted, noticed, version))
            self._tasks[name] = task
            task.add_done_callback(lambda _: self._brought_in(name, wanted))

    def _brought_in(self, name: str, wanted: Wanted) -> None:
        del self._tasks[name]
        if name in self._wanted and self._wanted[name] != wanted:  # promoted or rolled back meanwhile
            self._ensure(name, time.perf_counter(), None)

    async def _bring_in(self, name: str, wanted: Wanted, noticed: float, version: ModelVersion | None) -> None:
        found: ModelVersion | BaseException
        if version is None:
            found = await attempt(None, lambda: self._registry.get_version(name, wanted.version))
        else:
            found = version
        if isinstance(found, BaseException):
            self._note_failure(name, wanted, found)
            return
        present = self._store.production.get(name)
        if _is_same(present, found):  # restored from disk, adopted, or registered anew with the same artifacts
            self._note_served(name, wanted, found)
            return
        kept = self._store.find(name, wanted.version)
        if kept is not None and _is_same(kept, found):  # after a roll-back, or of a canary
            if self._wanted.get(name, wanted) == wanted:
                self._place(kept)
                await self._announce(kept, wanted, found, noticed)
            return
        needed = present is not None or self._store.is_pinned(name)
        model = await self._loads.load(
            found, lambda model: self._swap_in(model, wanted), evicting=needed, replaced=present
        )
        if isinstance(model, NoRoomError) and not needed:
            self._sources[name] = found
            self._settled[name] = wanted
            log.info("model_left_on_disk", model=name, version=found.version)
        elif isinstance(model, BaseException):
            self._note_failure(name, wanted, model)
        elif self._wanted.get(name) == wanted:
            if self._store.holds(model):  # as an extra version, when somebody who named it began the load
                self._place(model)
            await self._announce(model, wanted, found, noticed)

    async def _announce(self, model: LoadedModel, wanted: Wanted, found: ModelVersion, noticed: float) -> None:
        name = model.identity.name
        self._note_served(name, wanted, found)
        SWAP_DURATION.labels(name).observe(time.perf_counter() - noticed)
        log.info("model_served", model=name, version=wanted.version, path=model.report.path)
        await self._remember()

    async def _fetch_back(self, name: str) -> LoadedModel | BaseException:
        """Load what is in production, else the last version of it that could be loaded."""
        while True:
            while (running := self._tasks.get(name)) is not None:
                await asyncio.wait({running})
            if (present := self._store.use(name)) is not None:
                return present
            outcome = await self._load_choice(name)
            if not isinstance(outcome, LoadedModel):
                return outcome
            if self._store.production.get(name) is outcome:
                await self._remember()
                return outcome
            # Another version was promoted while this one was loaded: that one answers.

    async def _load_choice(self, name: str) -> LoadedModel | BaseException:
        outcome: LoadedModel | BaseException = ModelNotLoadedError("It is being loaded.")
        for source in self._choices(name):
            swap_in = self._swap_in_for(name)
            outcome = await self._loads.load(source, swap_in, evicting=True)
            if isinstance(outcome, LoadedModel):
                if self._store.holds(outcome):  # as an extra version, when somebody who named it began the load
                    swap_in(outcome)
                return outcome
            if isinstance(source, ModelVersion) and not isinstance(outcome, NoRoomError):
                self._give_up(name, source, outcome)
        return outcome

    def _give_up(self, name: str, version: ModelVersion, error: BaseException) -> None:
        """Leave a version to the polls, which try it again with growing waits."""
        self.failures[name] = failed(self.failures.get(name), version.version, reason(error), self._retry)
        self._sources.pop(name, None)
        self._settled.pop(name, None)

    def _choices(self, name: str) -> list[Source]:
        source, good, wanted = self._sources.get(name), self._good.get(name), self._wanted.get(name)
        if source is None or (wanted is not None and wanted.version != source.version):
            return [] if good is None else [good]
        return [source] if good is None or _is_version(good, source) else [source, good]

    def _swap_in_for(self, name: str) -> Place:
        """Return what places a version that is loaded because of what is in production at this moment."""
        wanted = self._wanted.get(name)
        return lambda model: self._swap_in(model, wanted)

    def _swap_in(self, model: LoadedModel, wanted: Wanted | None) -> None:
        """Put a version into production, unless another one was promoted while it was loaded."""
        if self._may_serve(model, wanted):
            self._place(model)
        elif not self._store.holds(model):
            self._retirement.retire(self._store.keep(model))

    def _may_serve(self, model: LoadedModel, wanted: Wanted | None) -> bool:
        name = model.identity.name
        now = self._wanted.get(name)
        if now is None or (now == wanted and now.version == model.identity.version):
            return True
        # The last version that could be loaded stands in for one that is not there, and never takes its place.
        return name not in self._store.production and self._good.get(name) == model.identity

    def _place(self, model: LoadedModel) -> None:
        name = model.identity.name
        if self._store.production.get(name) is not model:
            self._retirement.retire(self._store.swap(model))
            self._good[name] = model.identity
            ON_DISK.set(len(self.on_disk))

    def _note_served(self, name: str, wanted: Wanted, found: ModelVersion) -> None:
        self.failures.pop(name, None)
        self._settled[name] = wanted
        self._sources[name] = found

    def _note_failure(self, name: str, wanted: Wanted, error: BaseException) -> None:
        self.failures[name] = failed(self.failures.get(name), wanted.version, reason(error), self._retry)

    def _note_missing(self) -> None:
        missing = frozenset(self._good) - frozenset(self._wanted)
        for name in missing - self.missing:
            log.error("alias_missing", model=name, serving=self._good[name].version)
        for name in self.missing - missing:
            log.info("alias_back", model=name)
        for name in missing | self.missing:
            ALIAS_MISSING.labels(name).set(int(name in missing))
        for name in missing:
            self._settled.pop(name, None)
            self.failures.pop(name, None)
        self.missing = missing

    async def _remember(self) -> None:
        async with self._writing:
            models = list(self._good.values())
            try:
                await asyncio.to_thread(self._last_known.write, models)
            except OSError as error:  # a restart would need MLflow; nothing else depends on the file
                log.warning("last_known_not_written", cause=type(error).__name__)


def _is_same(present: LoadedModel | None, found: ModelVersion) -> bool:
    return present is not None and found.digest is not None and _is_version(present.identity, found)


def _is_version(identity: ModelIdentity, version: ModelVersion) -> bool:
    return identity.version == version.version and identity.digest == version.digest
