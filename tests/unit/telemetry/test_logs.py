import json
import logging
import sys
from collections.abc import Callable, Iterator
from io import StringIO

import pytest
import structlog

from mlplatform.settings import PlatformSettings
from mlplatform.telemetry import configure_logs
from mlplatform.telemetry.logs import REPEATED_LOGGERS, OncePerMinute

LOGGERS = ("", "uvicorn", "uvicorn.error", "uvicorn.access", "alembic", "httpx", "mlflow", *REPEATED_LOGGERS)

Lines = Callable[[], list[dict[str, object]]]


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> Iterator[StringIO]:
    """What a service writes to stderr; the loggers of the test run come back afterwards."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [(each.handlers[:], each.filters[:], each.level, each.propagate) for each in loggers]
    stream = StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    configure_logs(PlatformSettings(), "tested")
    yield stream
    structlog.reset_defaults()
    for each, (handlers, filters, level, propagate) in zip(loggers, before, strict=True):
        each.handlers, each.filters, each.propagate = handlers, filters, propagate
        each.setLevel(level)


@pytest.fixture
def lines(output: StringIO) -> Lines:
    return lambda: [json.loads(line) for line in output.getvalue().splitlines()]


class TestLine:
    def test_structlog_and_standard_library_alike(self, lines: Lines) -> None:
        structlog.get_logger("ours").info("started", port=9005)
        logging.getLogger("theirs").warning("%s is slow", "disk")
        ours, theirs = lines()
        assert (ours["event"], ours["port"], ours["service"], ours["level"]) == ("started", 9005, "tested", "info")
        assert (theirs["event"], theirs["logger"], theirs["service"]) == ("disk is slow", "theirs", "tested")

    def test_context_of_the_request(self, lines: Lines) -> None:
        with structlog.contextvars.bound_contextvars(request_id="r-1"):
            structlog.get_logger("ours").info("served")
        assert lines()[0]["request_id"] == "r-1"

    def test_line_breaks_forge_no_line(self, output: StringIO) -> None:
        forged = 'x\r\n{"event":"forged"}\n\u2028y'
        structlog.get_logger("ours").info("got", value=forged)
        logging.getLogger("theirs").warning(forged)
        assert "\r" not in output.getvalue()
        assert output.getvalue().count("\n") == 2
        assert [line["event"] for line in map(json.loads, output.getvalue().strip().split("\n"))] == ["got", forged]

    def test_traceback_is_plain_text(self, lines: Lines) -> None:
        try:
            json.loads("broken")
        except ValueError:
            structlog.get_logger("ours").exception("failed")
        assert "JSONDecodeError: Expecting value" in str(lines()[0]["exception"])

    def test_below_the_level(self, lines: Lines) -> None:
        structlog.get_logger("ours").debug("detail")
        assert lines() == []


class TestMask:
    @pytest.mark.parametrize("key", ["password", "X-API-Key", "jwt_secret", "Authorization", "access_token", "cookies"])
    def test_secrets(self, key: str, output: StringIO, lines: Lines) -> None:
        structlog.get_logger("ours").info("call", headers={key: "hunter2"}, **{key: ["hunter2"]})
        assert "hunter2" not in output.getvalue()
        assert lines()[0]["headers"] == {key: "[masked]"}

    @pytest.mark.parametrize("key", ["texts", "inputs", "query", "payload"])
    def test_payloads(self, key: str, output: StringIO) -> None:
        structlog.get_logger("ours").info("call", request={key: "patient 4711"})
        assert "4711" not in output.getvalue()

    def test_numbers_of_tokens_are_no_secret(self, lines: Lines) -> None:
        structlog.get_logger("ours").info("embedded", tokens=12, token_count=3)
        assert (lines()[0]["tokens"], lines()[0]["token_count"]) == (12, 3)

    @pytest.mark.parametrize(
        "text",
        ["postgresql://ml_app:hunter2@db/platform", "Authorization: Bearer hunter2hunter2", "basic hunter2hunter2"],
    )
    def test_credentials_in_texts_and_tracebacks(self, text: str, output: StringIO) -> None:
        structlog.get_logger("ours").error(text, exc_info=RuntimeError(text))
        assert "hunter2" not in output.getvalue()
        assert "RuntimeError" in output.getvalue()

    def test_long_text_is_cut(self, lines: Lines) -> None:
        structlog.get_logger("ours").info("x" * 10_000)
        assert len(str(lines()[0]["event"])) == 2000


class TestOncePerMinute:
    def test_first_of_each_minute(self) -> None:
        once = OncePerMinute()
        kept = []
        for seconds in (0, 1, 59, 60, 61, 121):
            record = logging.LogRecord("pool", logging.WARNING, __file__, 1, "down", None, None)
            record.created = 1000.0 + seconds
            if once.filter(record):
                kept.append(seconds)
        assert kept == [0, 60, 121]
