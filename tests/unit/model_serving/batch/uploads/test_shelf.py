"""What was read of a job is kept until another one comes."""

from collections.abc import Callable

import pytest

from services.model_serving.batch.uploads.shelf import Shelf


def fetched(content: bytes, calls: list[bytes]) -> Callable[[], bytes]:
    def fetch() -> bytes:
        calls.append(content)
        return content

    return fetch


class TestShelf:
    def test_an_object_is_fetched_once_for_all_chunks_of_a_job(self) -> None:
        shelf, calls = Shelf(), []
        for _ in range(3):
            shelf.begin("job")
            assert shelf.get("key", fetched(b"content", calls)) == b"content"
        assert calls == [b"content"]

    def test_one_is_kept(self) -> None:
        shelf, calls = Shelf(), []
        shelf.begin("job")
        for key in ("a", "b", "a"):
            assert shelf.get(key, fetched(key.encode(), calls)) == key.encode()
        assert calls == [b"a", b"b", b"a"]

    def test_nothing_of_another_job(self) -> None:
        shelf, calls = Shelf(), []
        for job in ("one", "other"):
            shelf.begin(job)
            shelf.get("key", fetched(b"content", calls))
        assert len(calls) == 2

    def test_nothing_that_was_not_there(self) -> None:
        shelf, calls = Shelf(), []

        def gone() -> bytes:
            raise KeyError

        shelf.begin("job")
        with pytest.raises(KeyError):
            shelf.get("key", gone)
        assert shelf.get("key", fetched(b"content", calls)) == b"content"
