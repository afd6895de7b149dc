"""Negatives from a search index, over HTTP."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson
import pytest
from failures import MiningFailed
from judged import Judged
from mining import from_index

from mlplatform.retrieval.client import SearchClient
from mlplatform.retrieval.collection import Judgements

QUERIES = {"q1": "cats", "q2": "dogs"}


@contextmanager
def searching(found: dict[str, list[str]]) -> Iterator[str]:
    """Answer searches of the kind `things` on a port. Stands in for another process."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            wanted = orjson.loads(self.rfile.read(int(self.headers["Content-Length"])))
            keys = found[wanted["query"]] if wanted["entity_types"] == ["things"] else []
            body = orjson.dumps({"results": [{"entity_id": key} for key in keys], "complete": True})
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(30)


@pytest.fixture
def judged() -> Judged:
    train = Judgements(QUERIES, {"q1": {"a"}, "q2": {"b"}})
    return Judged("things", dict.fromkeys("abc", "text"), train, Judgements({}, {}), "0" * 64)


class TestFromIndex:
    def test_what_it_finds_of_the_collection(self, judged):
        with searching({"cats": ["c", "foreign", "a"], "dogs": ["b"]}) as url, SearchClient(url, {}, "things") as api:
            found = from_index(api, "things", judged, list(QUERIES), lambda _: None)

        assert (found.source, found.found) == ("index things", {"q1": ["c", "a"], "q2": ["b"]})

    def test_another_collections_index_is_of_no_use(self, judged):
        with (
            searching({"cats": ["c"]}) as url,
            SearchClient(url, {}, "others") as api,
            pytest.raises(MiningFailed, match="no document of things"),
        ):
            from_index(api, "others", judged, list(QUERIES), lambda _: None)
