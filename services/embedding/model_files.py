"""Where the model's files come from: the registry, else what the registry gave last time. Calls block."""

from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
import structlog

from mlplatform.registry.cache import ArtifactCache
from mlplatform.registry.digest import artifact_digest
from mlplatform.registry.errors import RegistryUnavailable
from mlplatform.registry.registry import Registry
from services.embedding.package import MODEL_FOLDER
from services.embedding.registration import MODEL

REMEMBERED = f"{MODEL}.json"

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


def fetch(registry: Registry, cache: Path, version: str | None = None) -> ModelFiles:
    """Get the files of a version from the registry, or from the cache while the registry is down.

    Args:
        registry: Where from.
        cache: Folder of downloaded models.
        version: Number of the version; None for the one in production.

    Raises:
        RegistryUnavailable: The registry is down and no download is left from before.
        NotFound: The registry has no such version, or none in production.
        ArtifactMismatchError: The stored bytes are not the registered ones.
    """
    try:
        production = registry.resolve(MODEL)
        wanted = production if version is None else registry.get_version(MODEL, version)
        artifacts = registry.download(MODEL, wanted.version, cache)
    except RegistryUnavailable:
        remembered = _recall(cache, version)
        if remembered is None:
            raise
        log.warning("embedding.registry_down", served_from="cache", version=remembered.version)
        artifacts = ArtifactCache(cache).fetch(remembered.artifact_digest, remembered.artifact_digest, _refuse)
        return _files(remembered.version, None, artifacts)
    if wanted.digest is not None:
        _remember(cache, _Remembered(wanted.version, wanted.digest), production=version is None)
    return _files(wanted.version, production.version, artifacts)


def _files(version: str, production_version: str | None, artifacts: Path) -> ModelFiles:
    folder = artifacts / MODEL_FOLDER
    return ModelFiles(version, production_version, folder, artifact_digest(folder), MODEL)


def _refuse(_: Path) -> None:
    raise RegistryUnavailable("MLflow does not answer, and the cached model is damaged.")


def _remember(cache: Path, model: _Remembered, *, production: bool) -> None:
    """Keep what the registry said: of the version, and of the one in production."""
    for name in (_remembered(model.version), *([REMEMBERED] if production else ())):
        fresh = cache / f".{name}"
        fresh.write_bytes(orjson.dumps(asdict(model)))
        fresh.replace(cache / name)


def _recall(cache: Path, version: str | None) -> _Remembered | None:
    for name in [REMEMBERED] if version is None else [_remembered(version), REMEMBERED]:
        path = cache / name
        if path.is_file():
            found = _Remembered(**orjson.loads(path.read_bytes()))
            if version in {None, found.version}:
                return found
    return None


def _remembered(version: str) -> str:
    return f"{MODEL}-{version}.json"
