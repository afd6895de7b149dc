import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from benchmarks.embedding.endpoint import PER_REQUEST, Endpoint, EndpointError, get
from benchmarks.serving.processes import Launch, Server
from mlplatform.stack.ports import choose_port

EMBEDDER = Path(__file__).with_name("embedder.py")


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[Endpoint]:
    port = choose_port([])
    server = Server(Launch([sys.executable, EMBEDDER, str(port)], {}, tmp_path), tmp_path / "log")
    found = Endpoint(port, server)
    with server:
        server.start(found.problem)
        yield found


class TestEncode:
    def test_vectors_come_in_the_order_of_the_texts_over_several_requests(self, endpoint):
        texts = ["x" * (number + 1) for number in range(2 * PER_REQUEST + 3)]
        assert endpoint.encode(texts)[:, 0].tolist() == [len(text) for text in texts]


class TestRate:
    def test_counts_texts_by_the_clock_and_by_the_processor_time_of_the_server(self, endpoint):
        rate = endpoint.rate(["some text"] * 4 * PER_REQUEST)
        assert rate.second > 0
        assert rate.processor_second > 0


class TestAwake:
    def test_runs_for_the_time_of_the_block_only(self, endpoint):
        endpoint.server.halt()
        with endpoint.awake():
            assert len(endpoint.milliseconds(["one", "two"])) == 2
        states = {member.status() for member in endpoint.server.family()}
        assert states == {psutil.STATUS_STOPPED}


class TestGet:
    def test_other_answers_than_a_document_say_what_came(self, endpoint):
        with pytest.raises(EndpointError, match=r"503.*not ready"):
            get(endpoint.port, "/health/ready")
