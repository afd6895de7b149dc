"""The cache of artifacts on disk."""

import os
import signal
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


class TestBudget:
    @staticmethod
    def fill(root: Path, keys: str, budget: int) -> ArtifactCache:
        cache = ArtifactCache(root, budget)
        for age, key in enumerate(reversed(keys)):
            cache.fetch(key, None, Store(b"x" * 100))
            os.utime(root / key / "digest", (1000 - age, 1000 - age))
        return cache

    @staticmethod
    def keys(root: Path) -> set[str]:
        return {mark.parent.name for mark in root.glob("*/digest")}

    def test_the_least_recently_fetched_go_first(self, tmp_path):
        self.fill(tmp_path, "abc", 10_000)
        cache = ArtifactCache(tmp_path, 400)
        cache.fetch("a", None, Store())
        assert cache.trim() <= 400
        assert self.keys(tmp_path) == {"a", "c"}

    def test_a_download_makes_room_and_stays(self, tmp_path):
        cache = self.fill(tmp_path, "ab", 400)
        folder = cache.fetch("c", None, Store(b"x" * 100))
        assert folder.is_dir()
        assert self.keys(tmp_path) == {"b", "c"}

    def test_what_is_used_stays(self, tmp_path):
        cache = self.fill(tmp_path, "ab", 10_000)
        with cache.lease("a"):
            ArtifactCache(tmp_path, 1).trim()
            assert self.keys(tmp_path) == {"a"}
        ArtifactCache(tmp_path, 1).trim()
        assert self.keys(tmp_path) == set()

    def test_what_another_process_uses_stays(self, tmp_path):
        cache = self.fill(tmp_path, "a", 10_000)
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            with cache.lease("a"):
                os.write(writer, b"1")
                signal.pause()
        try:
            os.read(reader, 1)
            ArtifactCache(tmp_path, 1).trim()
            assert self.keys(tmp_path) == {"a"}
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        ArtifactCache(tmp_path, 1).trim()
        assert self.keys(tmp_path) == set()
        assert list(tmp_path.iterdir()) == []

    def test_what_a_crash_left_is_deleted(self, tmp_path):
        cache = self.fill(tmp_path, "a", 10_000)
        (tmp_path / ".b-abcd1234" / "fresh").mkdir(parents=True)
        cache.trim()
        assert self.keys(tmp_path) == {"a"}
        assert not list(tmp_path.glob(".b-*"))
