"""Model artifacts on local disk, by digest, shared by the processes of one machine."""

import fcntl
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mlplatform.registry.digest import artifact_digest
from mlplatform.registry.errors import ArtifactMismatchError

OWNER_ONLY = 0o700


class ArtifactCache:
    """A folder of downloaded artifacts in which an entry is complete and verified, or absent.

    An entry is `<key>/model` with its digest in `<key>/digest`. It is written beside its place and renamed into it, so
    a crash leaves no half entry; a file lock per key lets one process download while the others wait for it.

    Args:
        root: The folder; made with mode 0700 when missing.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
        root.chmod(OWNER_ONLY)

    def fetch(self, key: str, expected_digest: str | None, download: Callable[[Path], None]) -> Path:
        """Give the folder of an entry, downloading it when absent or when its bytes changed.

        Args:
            key: Name of the entry: a plain file name.
            expected_digest: What the artifacts must hash to; None trusts the first download and holds to it after.
            download: Fills the empty folder it is given.

        Raises:
            ArtifactMismatchError: What was downloaded does not hash to `expected_digest`.
        """
        entry = self._root / key
        with self._lock(key):
            if self._is_sound(entry, expected_digest):
                return entry / "model"
            self._replace(entry, expected_digest, download)
            return entry / "model"

    @contextmanager
    def _lock(self, key: str) -> Iterator[None]:
        with (self._root / f"{key}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @staticmethod
    def _is_sound(entry: Path, expected_digest: str | None) -> bool:
        if not (entry / "digest").is_file():
            return False
        for compiled in (entry / "model").rglob("__pycache__"):  # written by a process that loaded the model's code
            shutil.rmtree(compiled)
        try:
            digest = artifact_digest(entry / "model")
        except ValueError:
            return False
        return digest == (expected_digest or (entry / "digest").read_text())

    def _replace(self, entry: Path, expected_digest: str | None, download: Callable[[Path], None]) -> None:
        prefix = f".{entry.name}-"
        for leftover in self._root.glob(f"{prefix}*"):
            shutil.rmtree(leftover)
        workspace = Path(tempfile.mkdtemp(prefix=prefix, dir=self._root))
        try:
            fresh = workspace / "fresh"
            (fresh / "model").mkdir(parents=True)
            download(fresh / "model")
            try:
                digest = artifact_digest(fresh / "model")
            except ValueError as error:
                raise ArtifactMismatchError(f"What the store holds for {entry.name} is no model: {error}") from error
            if expected_digest is not None and digest != expected_digest:
                raise ArtifactMismatchError(
                    f"The artifacts of {entry.name} hash to {digest}, not to the digest recorded at registration. "
                    "They were changed in the object store: register the model anew from its run."
                )
            (fresh / "digest").write_text(digest)
            if entry.exists():
                entry.rename(workspace / "stale")
            fresh.rename(entry)
        finally:
            shutil.rmtree(workspace)
