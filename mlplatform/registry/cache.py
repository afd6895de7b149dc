"""Model artifacts on local disk, by digest, shared by the processes of one machine."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from structlog import get_logger

from mlplatform.registry.digest import artifact_digest
from mlplatform.registry.errors import ArtifactMismatchError

OWNER_ONLY = 0o700
LOCK, USED = ".lock", ".used"

log = get_logger(__name__)


class Lease:
    """Keeps an entry on disk until it is released, or until the process and its forks have ended.

    Args:
        file: Open and locked.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def release(self) -> None:
        """Let the entry go; a second call does nothing."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class ArtifactCache:
    """A folder of downloaded artifacts in which an entry is complete and verified, or absent.

    An entry is `<key>/model` with its digest in `<key>/digest`. It is written beside its place and renamed into it, and
    renamed away before it is deleted, so a crash leaves no half entry. A file lock per key lets one process download
    while the others wait for it; another one, shared, is held by every process that uses the entry. The system drops
    both when a process dies.

    Args:
        root: The folder; made with mode 0700 when missing.
        budget: Most bytes of all entries; the least recently fetched ones that nobody uses go first. None: no limit.
    """

    def __init__(self, root: Path, budget: int | None = None) -> None:
        self._root = root
        self._budget = budget
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
        with self.lease(key):
            with self._locked(key):
                sound = self._is_sound(entry, expected_digest)
                if not sound:
                    self._replace(entry, expected_digest, download)
                os.utime(entry / "digest")  # what `trim` goes by
            if not sound:
                self.trim()
        return entry / "model"

    def lease(self, key: str) -> Lease:
        """Keep an entry on disk from now on; it need not be there yet."""
        file = self._open(f"{key}{USED}", fcntl.LOCK_SH)
        return Lease(file)

    def trim(self) -> int:
        """Delete what crashed downloads left, and entries until the rest is within the budget.

        Returns:
            Bytes of the entries that are left; more than the budget when the rest of them is in use.
        """
        for leftover in self._root.glob(".*-*"):
            self._if_free(leftover.name[1:].rpartition("-")[0], leftover, shutil.rmtree)
        entries = sorted(self._entries())
        total = sum(size for _, size, _ in entries)
        for _, size, entry in entries:
            if self._budget is None or total <= self._budget:
                break
            if self._if_free(entry.name, entry, self._remove):
                total -= size
                log.info("artifacts_evicted", key=entry.name, bytes=size)
        return total

    def _entries(self) -> Iterator[tuple[float, int, Path]]:
        """Yield when each entry was fetched last, its bytes, and its folder."""
        for mark in self._root.glob("*/digest"):
            with suppress(FileNotFoundError):  # another process deletes it
                size = sum(file.stat().st_size for file in mark.parent.rglob("*") if file.is_file())
                yield mark.stat().st_mtime, size, mark.parent

    def _if_free(self, key: str, path: Path, act: Callable[[Path], None]) -> bool:
        """Act on what belongs to a key unless somebody downloads it or uses it."""
        files: list[IO[str]] = []
        try:
            files.extend(self._open(f"{key}{kind}", fcntl.LOCK_EX | fcntl.LOCK_NB) for kind in (LOCK, USED))
            act(path)
        except (BlockingIOError, FileNotFoundError):
            return False
        else:
            return True
        finally:
            if len(files) == len((LOCK, USED)) and not (self._root / key).exists():
                for file in files:
                    Path(file.name).unlink(missing_ok=True)
            for file in files:
                file.close()

    def _remove(self, entry: Path) -> None:
        workspace = self._workspace(entry)
        entry.rename(workspace / "stale")
        shutil.rmtree(workspace)

    @contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        with self._open(f"{key}{LOCK}", fcntl.LOCK_EX):
            yield

    def _open(self, name: str, operation: int) -> IO[str]:
        """Open and lock a file; one that was deleted meanwhile, with its entry, would lock nothing and is opened anew.

        Raises:
            BlockingIOError: Another one has it, and the operation does not wait.
        """
        path = self._root / name
        while True:
            file = path.open("w")
            try:
                fcntl.flock(file, operation)
                if os.fstat(file.fileno()).st_ino == path.stat().st_ino:
                    return file
            except FileNotFoundError:
                file.close()
            except OSError:
                file.close()
                raise
            else:
                file.close()

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

    def _workspace(self, entry: Path) -> Path:
        return Path(tempfile.mkdtemp(prefix=f".{entry.name}-", dir=self._root))

    def _replace(self, entry: Path, expected_digest: str | None, download: Callable[[Path], None]) -> None:
        for leftover in self._root.glob(f".{entry.name}-*"):
            shutil.rmtree(leftover)
        workspace = self._workspace(entry)
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
