import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest
from opentelemetry.instrumentation.utils import suppress_http_instrumentation
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

ROOT = Path(__file__).parents[3]
DEADLINE = 60.0
TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"


class Collector(ThreadingHTTPServer):
    """Takes traces as OTLP over HTTP."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[ExportTraceServiceRequest] = []
        self.headers: list[str | None] = []

    def spans(self) -> list[Span]:
        scopes = [scope for request in self.requests for each in request.resource_spans for scope in each.scope_spans]
        return [span for scope in scopes for span in scope.spans]


class Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = gzip.decompress(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append(ExportTraceServiceRequest.FromString(body))
        self.server.headers.append(self.headers.get("x-team"))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the signature is the library's
        """Write nothing to the test's output."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def environment(settings_env: dict[str, str], collector: Collector, unused_tcp_port: int) -> dict[str, str]:
    return (
        os.environ
        | settings_env
        | {
            "ML_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}/v1/traces",
            "ML_OTLP_HEADERS": "x-team=tests",
            "ML_TRACES_PER_SECOND": "-1",
            "TRACED_PORT": str(unused_tcp_port),
        }
    )


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def service(environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "tests.integration.telemetry.traced_service"]
    with log.open("wb") as output, subprocess.Popen(command, cwd=ROOT, env=environment, stderr=output) as process:
        yield process
        process.kill()


@pytest.fixture
def client(service: subprocess.Popen[bytes], environment: dict[str, str], log: Path) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{environment['TRACED_PORT']}", trust_env=False) as client:
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline and service.poll() is None:
            try:
                if client.get("/health/live").status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.05)
        else:
            pytest.fail(f"the service did not start: {log.read_text()}")
        yield client


class TestProcess:
    def test_traced_logged_and_drained(
        self, client: httpx.Client, service: subprocess.Popen[bytes], collector: Collector, log: Path
    ) -> None:
        headers = {"traceparent": f"00-{TRACE}-{CALLER}-01", "X-Request-ID": "call-1"}
        # Where an earlier test of this process has started tracing, its httpx would send a trace of its own.
        with suppress_http_instrumentation():
            assert client.get("/ping/patient-4711", headers=headers).json() == "patient-4711"
        # What is exported at shutdown may take two seconds at most, which a busy machine can exceed.
        wait_for_span(collector, "GET /ping/{name}")
        with ThreadPoolExecutor(1) as pool:
            slow = pool.submit(client.get, "/slow", timeout=DEADLINE)
            wait_for_line(log, "slow_began")
            service.send_signal(signal.SIGTERM)
            assert slow.result().json() == "done"
        service.wait(DEADLINE)

        spans = {span.name: span for span in collector.spans() if span.trace_id.hex() == TRACE}
        server = spans["GET /ping/{name}"]
        assert server.parent_span_id.hex() == CALLER
        database = [span for span in spans.values() if attribute(span, "db.system.name") == "postgresql"]
        assert [span.parent_span_id for span in database] == [server.span_id] * len(database)
        assert database
        assert attribute(server, "service.name") == "traced"
        assert not [span.name for span in collector.spans() if "health" in span.name]
        assert set(collector.headers) == {"tests"}

        lines = [json.loads(line) for line in log.read_text().splitlines()]
        request = next(line for line in lines if line.get("request_id") == "call-1")
        assert (request["route"], request["status"], request["service"]) == ("/ping/{name}", 200, "traced")
        assert request["trace_id"] == TRACE


def attribute(span: Span, name: str) -> str | None:
    return next((each.value.string_value for each in span.attributes if each.key == name), None)


def wait_for_span(collector: Collector, name: str) -> None:
    deadline = time.monotonic() + DEADLINE
    while name not in {span.name for span in collector.spans()}:
        if time.monotonic() > deadline:
            pytest.fail(f"no span {name} within {DEADLINE:.0f} s")
        time.sleep(0.02)


def wait_for_line(log: Path, event: str) -> None:
    deadline = time.monotonic() + DEADLINE
    while f'"{event}"' not in log.read_text():
        if time.monotonic() > deadline:
            pytest.fail(f"no line {event} within {DEADLINE:.0f} s")
        time.sleep(0.02)
