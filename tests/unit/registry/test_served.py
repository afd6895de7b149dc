"""Waiting until serving answers with a version."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson
import pytest

from mlplatform.registry.served import wait_served
from mlplatform.registry.settings import PromotionSettings

FAILURE = {"version": "2", "reason": "it needs pickle", "attempts": 1, "retry_in_seconds": 2.0}


def state(version: str | None, failure: dict[str, object] | None = None) -> tuple[int, bytes]:
    loaded = [] if version is None else [{"version": version, "role": "production"}]
    return 200, orjson.dumps({"loaded": [*loaded, {"version": "2", "role": "extra"}], "failure": failure})


@contextmanager
def answering(*answers: tuple[int, bytes]) -> Iterator[str]:
    """Answer one after the other, then the last one for ever."""
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(status)
            self.send_header("Retry-After", "0")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def wait(monkeypatch, tmp_path):
    """Wait for version 2 where somebody answers."""
    monkeypatch.chdir(tmp_path)

    async def run(*answers, seconds: str = "10s"):
        with answering(*answers) as url:
            settings = PromotionSettings(serving_url=url, promotion_served_timeout=seconds)
            return await wait_served(settings, "m", "2", time.monotonic())

    return run


@pytest.fixture
def wait_for_all(monkeypatch, tmp_path):
    """Wait for version 2 at several addresses, of which each gives its own answers."""
    monkeypatch.chdir(tmp_path)

    async def run(*replicas, seconds: str = "10s"):
        with ExitStack() as stack:
            urls = [stack.enter_context(answering(*answers)) for answers in replicas]
            monkeypatch.setenv("ML_PROMOTION_SERVED_URLS", ",".join(urls))
            settings = PromotionSettings(promotion_served_timeout=seconds)
            return urls, await wait_served(settings, "m", "2", time.monotonic())

    return run


class TestWaitServed:
    async def test_until_the_version_is_in_production_and_not_just_in_memory(self, wait):
        confirmation = await wait(state("1"), (503, b""), (429, b""), state("1"), state("2"))
        assert confirmation.seconds is not None
        assert confirmation.reason is None

    async def test_no_longer_than_asked(self, wait):
        confirmation = await wait(state("1"), seconds="200ms")
        assert (confirmation.seconds, confirmation.reason) == (None, "serving has version 1")

    async def test_not_for_a_version_that_cannot_be_loaded(self, wait):
        confirmation = await wait(state("1"), state("1", FAILURE), seconds="1h")
        assert (confirmation.seconds, confirmation.reason) == (None, "serving cannot load it: it needs pickle")

    async def test_not_without_the_right_to_ask(self, wait):
        confirmation = await wait((401, b""), seconds="1h")
        assert confirmation.seconds is None
        assert "ML_TOKEN" in confirmation.reason


class TestReplicas:
    async def test_are_all_waited_for(self, wait_for_all):
        urls, confirmation = await wait_for_all([state("2")], [state("1"), state("1"), state("2")])
        assert confirmation.seconds is not None
        assert confirmation.asked == tuple(urls)

    async def test_that_have_it_do_not_speak_for_one_that_has_not(self, wait_for_all):
        urls, confirmation = await wait_for_all([state("2")], [state("1")], seconds="200ms")
        assert (confirmation.seconds, confirmation.reason) == (None, f"{urls[1]}: serving has version 1")

    async def test_are_not_waited_for_once_one_cannot_load_it(self, wait_for_all):
        urls, confirmation = await wait_for_all([state("1", FAILURE)], [state("1")], seconds="1h")
        assert f"{urls[0]}: serving cannot load it: it needs pickle" in confirmation.reason

    async def test_at_the_one_address_there_is_when_none_are_named(self, wait):
        confirmation = await wait(state("2"))
        assert len(confirmation.asked) == 1
