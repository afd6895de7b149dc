"""Models as other backends read them, on local disk: made once, complete or absent, and made anew when damaged."""

import hashlib
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mlplatform.registry.cache import ArtifactCache

FORMAT = "1"
"""Changes when this package writes exports in another way."""
LIBRARIES = ("torch", "transformers", "sentence-transformers", "onnx", "onnxruntime", "openvino")
CACHE_BYTES = 8 * 2**30
"""Exports of models and library versions of the past go, the least recently used first, beyond this."""


class ExportMissingError(Exception):
    """There is no sound export of this kind."""


class Exports:
    """The exports of one model by the libraries that are installed.

    An export that other versions of the libraries made is not looked at: it has another key.

    Args:
        root: Folder of all exports.
        digest: Digest of the model's files.
    """

    def __init__(self, root: Path, digest: str) -> None:
        self._cache = ArtifactCache(root, CACHE_BYTES)
        made_by = hashlib.sha256(repr((FORMAT, library_versions())).encode()).hexdigest()
        self._key = f"{digest[:32]}-{made_by[:12]}"

    def make(self, kind: str, write: Callable[[Path], None]) -> Path:
        """Return the folder of an export, filled by `write` unless a sound one is there.

        It is the one that was fetched last, so that it is the last to go; what is loaded from it does not need it.
        """
        return self._cache.fetch(f"{self._key}-{kind}", None, write)

    def find(self, kind: str) -> Path:
        """Return the folder of an export that was made before.

        Raises:
            ExportMissingError: There is none, or it is damaged.
        """
        return self.make(kind, _refuse)


def library_versions() -> dict[str, str]:
    """Return the installed versions of the libraries that compute."""
    versions = {}
    for library in LIBRARIES:
        try:
            versions[library] = version(library)
        except PackageNotFoundError:
            versions[library] = ""
    return versions


def _refuse(_: Path) -> None:
    raise ExportMissingError
