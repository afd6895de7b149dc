"""The cache of artifacts on disk."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mlplatform.registry.cache import ArtifactCache
from mlplatform.registry.digest import artifact_digest
from mlplatform.registry.errors import ArtifactMismatchError


class Store:
    """Fills a folder with the bytes of a model, and counts how often it was asked."""

    def __init__(self, content: bytes = b"weights") -> None:
        self.content = content
        self.downloads = 0

    def __call__(self, folder: Path) -> None:
        self.downloads += 1
        (folder / "MLmodel").write_bytes(self.content)

    def digest(self, folder: Path) -> str:
        folder.mkdir()
        (folder / "MLmodel").write_bytes(self.content)
        return artifact_digest(folder)


@pytest.fixture
def cache(tmp_path: Path) -> ArtifactCache:
    return ArtifactCache(tmp_path / "cache")


class TestFetch:
    def test_downloads_once(self, cache, tmp_path):
        store = Store()
        digest = store.digest(tmp_path / "expected")
        first = cache.fetch(digest, digest, store)
        assert cache.fetch(digest, digest, store) == first
        assert (first / "MLmodel").read_bytes() == b"weights"
        assert store.downloads == 1

    def test_is_for_its_owner_only(self, tmp_path):
        ArtifactCache(tmp_path / "cache")
        assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700

    def test_other_bytes_than_expected_are_refused_and_not_kept(self, cache, tmp_path):
        digest = Store(b"right").digest(tmp_path / "expected")
        with pytest.raises(ArtifactMismatchError, match="register the model anew"):
            cache.fetch(digest, digest, Store(b"wrong"))
        assert {path.suffix for path in (tmp_path / "cache").iterdir()} == {".lock", ".used"}

    def test_bytes_that_changed_on_disk_are_fetched_again(self, cache, tmp_path):
        store = Store()
        digest = store.digest(tmp_path / "expected")
        folder = cache.fetch(digest, digest, store)
        (folder / "MLmodel").write_bytes(b"tampered")
        assert (cache.fetch(digest, digest, store) / "MLmodel").read_bytes() == b"weights"

    def test_without_a_digest_the_first_download_counts(self, cache):
        store = Store()
        folder = cache.fetch("undigested", None, store)
        (folder / "MLmodel").write_bytes(b"tampered")
        cache.fetch("undigested", None, store)
        assert store.downloads == 2

    def test_compiled_code_is_no_change(self, cache):
        store = Store()
        folder = cache.fetch("key", None, store)
        (folder / "__pycache__").mkdir()
        (folder / "__pycache__" / "code.pyc").write_bytes(b"compiled")
        cache.fetch("key", None, store)
        assert store.downloads == 1

    def test_a_download_that_fails_leaves_nothing(self, cache, tmp_path):
        def fail(folder: Path) -> None:
            (folder / "half").write_bytes(b"1")
            raise ConnectionError

        with pytest.raises(ConnectionError):
            cache.fetch("key", None, fail)
        assert {path.name for path in (tmp_path / "cache").iterdir()} == {"key.lock", "key.used"}

    def test_an_empty_download_is_no_model(self, cache):
        with pytest.raises(ArtifactMismatchError, match="is no model"):
            cache.fetch("key", None, lambda _: None)

    def test_those_who_come_meanwhile_wait(self, cache):
        store = Store()
        entered, release = threading.Event(), threading.Event()

        def download(folder: Path) -> None:
            entered.set()
            assert release.wait(10)
            store(folder)

        def fetch(with_download: Callable[[Path], None]) -> threading.Thread:
            thread = threading.Thread(target=cache.fetch, args=("key", None, with_download))
            thread.start()
            return thread

        first = fetch(download)
        assert entered.wait(10)
        second = fetch(store)
        release.set()
        first.join(10)
        second.join(10)
        assert store.downloads == 1
