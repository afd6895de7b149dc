import pytest

from benchmarks.serving.lane import render, split


class TestSplit:
    def test_whole_answer(self):
        assert split(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") == (200, b"ok")

    @pytest.mark.parametrize(
        "received",
        [b"", b"HTTP/1.1 200 OK\r\nContent-Le", b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok"],
        ids=["nothing", "half a head", "half a body"],
    )
    def test_incomplete_answer(self, received):
        assert split(received) is None

    def test_chunks_are_joined(self):
        head = b"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n"
        assert split(head + b"3\r\nabc\r\n2\r\nde\r\n") is None
        assert split(head + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n") == (503, b"abcde")

    def test_answer_without_a_body(self):
        assert split(b"HTTP/1.1 204 No Content\r\n\r\n") == (204, b"")


class TestRender:
    def test_request(self):
        request = render("/p", 80, {"Content-Type": "text/plain"}, b"body")
        head, _, body = request.partition(b"\r\n\r\n")
        assert head.splitlines()[0] == b"POST /p HTTP/1.1"
        assert b"Content-Length: 4" in head.splitlines()
        assert body == b"body"
