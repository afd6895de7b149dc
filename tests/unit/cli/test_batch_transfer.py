"""How `mlp batch fetch` waits for a file."""

from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
import typer

from mlplatform.cli import batch_transfer

PLACE = "http://objects.example/file.csv"
NOT_WRITTEN = b'{"code": "results_not_written", "detail": "It is queued for a worker."}'


class Service(HTTPServer):
    """A service that gives the answers that it was told to, the last one for ever."""

    answers: list[HTTPStatus]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        answers = self.server.answers
        status = answers.pop(0) if len(answers) > 1 else answers[0]
        content = NOT_WRITTEN if status == HTTPStatus.CONFLICT else b""
        self.send_response(status)
        self.send_header("Location", PLACE)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """Yield a service that may not be away at all."""
    monkeypatch.setattr(batch_transfer, "WRITTEN_SECONDS", 0.0)
    monkeypatch.setattr(batch_transfer, "LOOK_SECONDS", 0.01)
    with Service(("127.0.0.1", 0), Handler) as server:
        monkeypatch.setenv("ML_SERVING_URL", f"http://127.0.0.1:{server.server_port}")
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class TestWait:
    def test_the_time_for_which_a_file_is_queued_is_no_outage(self, service: Service) -> None:
        service.answers = [*[HTTPStatus.CONFLICT] * 5, HTTPStatus.TEMPORARY_REDIRECT]
        assert batch_transfer._address("jobs/1/results.csv") == PLACE

    def test_an_outage_ends_it(self, service: Service) -> None:
        service.answers = [HTTPStatus.CONFLICT, HTTPStatus.CONFLICT, HTTPStatus.BAD_GATEWAY]
        with pytest.raises(typer.Exit):
            batch_transfer._address("jobs/1/results.csv")
        assert service.answers == [HTTPStatus.BAD_GATEWAY]
