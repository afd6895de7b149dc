"""One trace from the caller through search and embedding to Postgres."""

import secrets
import time
from collections.abc import Mapping

import httpx
import mlflow
from mlflow.entities import Trace
from mlflow.exceptions import MlflowException
from opentelemetry.instrumentation.utils import suppress_http_instrumentation

ATTEMPTS = 4
SECONDS = 30


def read_trace(tracking_url: str, trace_id: str, *, services: set[str]) -> Trace | None:
    """Return the trace once spans of all these services have arrived."""
    mlflow.set_tracking_uri(tracking_url)
    try:
        trace = mlflow.MlflowClient().get_trace(f"tr-{trace_id}", display=False)
    except MlflowException:
        return None
    found = {span.attributes.get("service.name") for span in trace.data.spans}
    return trace if services <= found else None


class TestTrace:
    """The trace store knows the whole path of a request."""

    def test_search_reaches_embedding_and_postgres_under_the_callers_trace_id(
        self, stack_env: Mapping[str, str], unique: str
    ):
        search = stack_env["ML_SEARCH_URL"]
        item = {"entity_type": unique, "entity_id": "1", "text": "the yield curve inverted"}
        indexed = httpx.post(f"{search}/api/v1/index", json={"items": [item], "wait": True}, timeout=60)
        assert indexed.status_code < 300, indexed.text

        trace, caller = self.traced_search(stack_env, unique)
        spans = {span.span_id: span for span in trace.data.spans}
        roots = [span for span in spans.values() if span.parent_id not in spans]
        assert [(span.name, span.parent_id) for span in roots] == [("POST /api/v1/search", caller)]
        (embed,) = [span for span in spans.values() if span.name == "POST /api/v1/embed"]
        assert spans[embed.parent_id].attributes["http.request.method"] == "POST"
        assert any(span.attributes.get("db.system.name") == "postgresql" for span in spans.values())

    @staticmethod
    def traced_search(stack_env: Mapping[str, str], entity_type: str) -> tuple[Trace, str]:
        """Search until the trace of a search is in the store: exporters drop spans rather than hold requests up."""
        for _ in range(ATTEMPTS):
            trace_id, caller = secrets.token_hex(16), secrets.token_hex(8)
            # Where an earlier test of this process has started tracing, its httpx would send a trace of its own.
            with suppress_http_instrumentation():
                answer = httpx.post(
                    f"{stack_env['ML_SEARCH_URL']}/api/v1/search",
                    json={"query": "inverted curve", "entity_types": [entity_type]},
                    headers={"traceparent": f"00-{trace_id}-{caller}-01"},
                    timeout=60,
                )
            assert [found["entity_id"] for found in answer.json()["results"]] == ["1"]
            deadline = time.monotonic() + SECONDS
            while time.monotonic() < deadline:
                if trace := read_trace(stack_env["ML_MLFLOW_URL"], trace_id, services={"search", "embedding"}):
                    return trace, caller
                time.sleep(0.2)
        raise AssertionError(f"none of {ATTEMPTS} traces arrived within {SECONDS} s")
