"""The models that are loaded before the serving processes are forked, so that they share the memory."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase

from mlflow.models import Model
from structlog import get_logger

from mlplatform.registry.cache import Lease
from mlplatform.registry.registry import Registry
from services.model_serving.engine.loaded_model import LoadedModel, ModelIdentity
from services.model_serving.errors import reason
from services.model_serving.loading.loader import ModelLoader, make_loader
from services.model_serving.settings import ServingSettings
from services.model_serving.versions.directory import Directory
from services.model_serving.versions.last_known import LastKnown

THREADED = frozenset({"onnx", "tensorflow", "keras"})
"""Flavors whose library starts threads when it is imported; each process loads such models for itself."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Image:
    """What a process starts with.

    Attributes:
        models: loaded ones.
        considered: what was in production when they were loaded, whether it could be loaded or not.
        leases: keep their artifacts on disk.
    """

    models: tuple[LoadedModel, ...] = ()
    considered: frozenset[ModelIdentity] = frozenset()
    leases: list[Lease] = field(default_factory=list)


def load_image(settings: ServingSettings) -> Image:
    """Load what is in production, as far as it fits into memory, without starting a thread.

    Clients of MLflow start threads and keep connections, neither of which may be there when a process forks. So a
    process of its own asks MLflow and brings the artifacts to the disk; they are loaded from there.
    """
    registry = Registry(settings.mlflow_url)
    loader = make_loader(registry, settings)
    wanted = _fetched_elsewhere(registry, loader, settings)
    models: list[LoadedModel] = []
    leases: list[Lease] = []
    left = int(settings.serving_memory)
    for identity in sorted(wanted, key=lambda found: (not _is_pinned(found.name, settings), found.name)):
        lease = loader.lease(identity.key)
        model = _load(loader, identity)
        if model is None or model.size > left:
            lease.release()
            continue
        left -= model.size
        models.append(model)
        leases.append(lease)
    log.info("image_loaded", models=len(models), considered=len(wanted))
    return Image(tuple(models), frozenset(wanted), leases)


def _load(loader: ModelLoader, identity: ModelIdentity) -> LoadedModel | None:
    try:
        folder = loader.fetch(identity)
        if threaded := THREADED & Model.load(str(folder)).flavors.keys():
            log.info("model_not_shared", model=identity.name, reason=f"{min(threaded)} starts threads")
            return None
        return loader.open(folder, identity)
    except Exception as error:  # noqa: BLE001 (a model's own code may raise anything; each process tries it again)
        log.warning("model_not_shared", model=identity.name, version=identity.version, reason=reason(error))
        return None


def _fetched_elsewhere(registry: Registry, loader: ModelLoader, settings: ServingSettings) -> list[ModelIdentity]:
    """Ask MLflow in a fork of this process; what was known last when it does not answer."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        with _ending(), os.fdopen(writer, "w") as pipe:
            os.close(reader)
            identities = _fetch(registry, loader, settings)
            json.dump([asdict(identity) for identity in identities], pipe)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status:
        log.warning("registry_unreachable", reason="The models of before the restart are loaded.")
        return LastKnown(settings.cache_folder).read()
    return [ModelIdentity(**entry) for entry in json.loads(text)]


def _fetch(registry: Registry, loader: ModelLoader, settings: ServingSettings) -> list[ModelIdentity]:
    directory = Directory(registry, settings.serving_models)
    identities = []
    for version in directory.production_versions():
        try:
            loader.fetch(version)
        except Exception as error:  # noqa: BLE001 (whatever it is, it concerns this model alone)
            log.warning("model_not_shared", model=version.name, version=version.version, reason=reason(error))
        identities.append(loader.identify(version))
    return identities


def _is_pinned(name: str, settings: ServingSettings) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in settings.serving_pinned)


@contextmanager
def _ending() -> Iterator[None]:
    """End the process with the block, without what a program does at its end."""
    status = 1
    try:
        yield
        status = 0
    finally:
        os._exit(status)
