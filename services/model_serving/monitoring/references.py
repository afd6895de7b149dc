"""The reference profiles of versions, kept once they are read."""

import time
from dataclasses import dataclass
from pathlib import Path

from structlog import get_logger

from mlplatform.monitoring.profile import InvalidProfile, Profile
from mlplatform.monitoring.storage import read_profile
from mlplatform.registry import tags as tag
from mlplatform.registry.errors import ModelNotFound, VersionNotFound
from mlplatform.registry.registry import Registry

FRESH_SECONDS = 300.0
MOST = 200

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reference:
    """What a version is compared with.

    Attributes:
        profile: None when it has none.
        history: Whether a call is one history and not rows by themselves.
        task: What its tag says that it predicts, `classification` or `regression`.
    """

    profile: Profile | None
    history: bool = False
    task: str | None = None


class References:
    """Reads references. Calls block.

    Args:
        registry: Where versions are from.
        cache: Folder of artifacts on disk.
    """

    def __init__(self, registry: Registry, cache: Path) -> None:
        self._registry = registry
        self._cache = cache
        self._known: dict[tuple[str, str], tuple[float, Reference]] = {}

    def of(self, model: str, version: str) -> Reference:
        """Return what a version is compared with; it is looked for anew every five minutes.

        Raises:
            RegistryUnavailable: MLflow is down.
        """
        now = time.monotonic()
        known = self._known.get((model, version))
        if known is not None and now < known[0]:
            return known[1]
        if len(self._known) >= MOST:
            self._known.clear()
        reference = self._read(model, version)
        self._known[model, version] = (now + FRESH_SECONDS, reference)
        return reference

    def _read(self, model: str, version: str) -> Reference:
        try:
            found = self._registry.get_version(model, version)
            tags = {**self._registry.get_model(model).tags, **found.tags}
        except (ModelNotFound, VersionNotFound):
            return Reference(None)
        folder = None if found.digest is None else self._cache / found.digest / "model"
        try:
            profile = read_profile(self._registry, found, folder)
        except InvalidProfile as error:
            log.warning("monitoring.invalid_profile", model=model, version=version, error=str(error))
            profile = None
        return Reference(profile, tag.INPUT_ROWS in tags, tags.get(tag.TASK))
