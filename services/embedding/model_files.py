"""Where the model's files come from: the registry, else what the registry gave last time. Calls block."""

from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
import structlog

from mlplatform.registry.cache import ArtifactCache
from mlplatform.registry.digest import artifact_digest
from mlplatform.registry.errors import RegistryUnavailable
from mlplatform.registry.registry import Registry
from mlplatform.registry.stages import PRODUCTION
from services.embedding.package import MODEL_FOLDER
from services.embedding.registration import MODEL

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A version of the text embedder on local disk, its bytes verified.

    Attributes:
        version: Number of the version.
        production_version: The version in production, None when the registry could not be asked.
        folder: What sentence-transformers loads.
        digest: Digest of that folder. Unlike the digest of all artifacts it is the same wherever the same weights are
            registered, so vectors of equal digests may be compared.
        name: Registered name.
    """

    version: str
    production_version: str | None
    folder: Path
    digest: str
    name: str = MODEL


@dataclass(frozen=True, slots=True)
class _Remembered:
    version: str
    artifact_digest: str


def fetch(registry: Registry, cache: Path, version: str | None = None, *, model: str | None = None) -> ModelFiles:
    """Get the files of a version from the registry, or from the cache while the registry is down.

    Args:
        registry: Where from.
        cache: Folder of downloaded models.
        version: Number of the version; None for the one in production.
        model: Registered name; None for the text embedder.

    Raises:
        RegistryUnavailable: The registry is down and no download is left from before.
        NotFound: The registry has no such version, or none in production.
        ArtifactMismatchError: The stored bytes are not the registered ones.
    """
    name = model or MODEL
    try:
        production = registry.find_alias(name, PRODUCTION)
        wanted = registry.resolve(name, version)
        artifacts = registry.download(name, wanted.version, cache)
    except RegistryUnavailable:
        remembered = _recall(cache, name, version)
        if remembered is None:
            raise
        log.warning("embedding.registry_down", served_from="cache", version=remembered.version)
        artifacts = ArtifactCache(cache).fetch(remembered.artifact_digest, remembered.artifact_digest, _refuse)
        return _files(name, remembered.version, None, artifacts)
    if wanted.digest is not None:
        _remember(cache, name, _Remembered(wanted.version, wanted.digest), production=version is None)
    return _files(name, wanted.version, production, artifacts)


def _files(name: str, version: str, production_version: str | None, artifacts: Path) -> ModelFiles:
    folder = artifacts / MODEL_FOLDER
    return ModelFiles(version, production_version, folder, artifact_digest(folder), name)


def _refuse(_: Path) -> None:
    raise RegistryUnavailable("MLflow does not answer, and the cached model is damaged.")


def _remember(cache: Path, name: str, model: _Remembered, *, production: bool) -> None:
    """Keep what the registry said: of the version, and of the one in production."""
    for path in (_memory(cache, name, model.version), *([_memory(cache, name, None)] if production else ())):
        fresh = path.with_name(f".{path.name}")
        fresh.write_bytes(orjson.dumps(asdict(model)))
        fresh.replace(path)


def _recall(cache: Path, name: str, version: str | None) -> _Remembered | None:
    for path in (_memory(cache, name, version), _memory(cache, name, None)):
        if path.is_file():
            found = _Remembered(**orjson.loads(path.read_bytes()))
            if version in {None, found.version}:
                return found
    return None


def _memory(cache: Path, name: str, version: str | None) -> Path:
    return cache / (f"{name}.json" if version is None else f"{name}-{version}.json")
