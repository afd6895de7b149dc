"""Puts together what decides which versions are in memory."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from mlplatform.events import ModelPromoted, PromotionAnnounced, StreamTail, running
from mlplatform.registry.registry import Registry
from mlplatform.service import Kernel
from services.model_serving.loading.loader import make_loader
from services.model_serving.settings import ServingSettings
from services.model_serving.versions.checks import ModelChecks
from services.model_serving.versions.choice import Versions
from services.model_serving.versions.directory import Directory
from services.model_serving.versions.extras import ExtraVersions
from services.model_serving.versions.image import Image
from services.model_serving.versions.last_known import LastKnown
from services.model_serving.versions.leases import Leases
from services.model_serving.versions.loads import Loads
from services.model_serving.versions.production import Production
from services.model_serving.versions.residents import Residents
from services.model_serving.versions.retirement import Retirement
from services.model_serving.versions.room import Room
from services.model_serving.versions.store import LoadedModels
from services.model_serving.versions.watcher import AliasWatcher

LOADING_THREADS = 2
"""One loads while the other downloads; models are loaded one at a time in any case."""


@dataclass(frozen=True, slots=True)
class VersionParts:
    """What the rest of the service uses."""

    directory: Directory
    store: LoadedModels
    production: Production
    versions: Versions
    residents: Residents


@asynccontextmanager
async def open_versions(
    kernel: Kernel, registry: Registry, settings: ServingSettings, image: Image | None = None
) -> AsyncIterator[VersionParts]:
    """Keep in memory what is in production, for the time of the block; health checks are registered.

    Args:
        kernel: for events and health.
        registry: what is followed.
        settings: limits.
        image: what is in memory already, from the process that this one was forked from.
    """
    async with AsyncExitStack() as stack:
        patience = settings.serving_load_wait.total_seconds()
        loader = make_loader(registry, settings)
        leases = Leases(loader.lease)
        stack.callback(leases.close)
        directory = Directory(registry, settings.serving_models)
        store = LoadedModels(settings.serving_extra_versions, settings.serving_pinned)
        retirement = Retirement(leases.let_go)
        stack.push_async_callback(retirement.close)
        room = Room(settings.serving_memory, store, retirement, patience)
        executor = stack.enter_context(ThreadPoolExecutor(LOADING_THREADS, thread_name_prefix="load"))
        loads = Loads(loader=loader, room=room, leases=leases, executor=executor)
        stack.push_async_callback(loads.close)
        extras = ExtraVersions(loads, store, retirement, patience)
        stack.push_async_callback(extras.close)
        production = Production(
            registry=registry,
            loads=loads,
            store=store,
            retirement=retirement,
            last_known=LastKnown(settings.cache_folder),
            retry=settings.serving_poll_interval.total_seconds(),
            patience=patience,
        )
        stack.push_async_callback(production.close)
        for model in () if image is None else image.models:
            leases.hold(model.identity.key)
            production.adopt(model)
        watcher = AliasWatcher(
            directory=directory,
            production=production,
            loads=loads,
            extras=extras,
            events=StreamTail(kernel.redis, ModelPromoted.event_type),
            announcements=StreamTail(kernel.redis, PromotionAnnounced.event_type),
            interval=settings.serving_poll_interval,
        )
        watching = await stack.enter_async_context(running(watcher, "alias watcher"))
        checks = ModelChecks(registry, store, production, watcher)
        kernel.health.register("mlflow", checks.registry)
        kernel.health.register("models", checks.models)
        kernel.health.register("alias watcher", watching)
        versions = Versions(store=store, extras=extras, directory=directory, registry=registry, production=production)
        yield VersionParts(directory, store, production, versions, Residents(store, production, retirement))
