"""One JSON object per line, with nothing in it that must not be read."""

import logging
import re
import sys
from collections.abc import MutableMapping
from threading import Lock
from typing import Any

import orjson
import structlog
from opentelemetry import trace

from mlplatform.settings import PlatformSettings

REPEATED_LOGGERS = (
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.sdk._shared_internal",
    "psycopg.pool",
)
REPEAT_SECONDS = 60
MASK = "[masked]"
SECRET_WORDS = (
    "password",
    "passwd",
    "token",
    "secret",
    "authorization",
    "api_key",
    "apikey",
    "pepper",
    "cookie",
    "credential",
)
PAYLOADS = frozenset(
    {"body", "data", "embeddings", "input", "inputs", "payload", "predictions", "query", "text", "texts"}
)
COUNTS = ("tokens", "count", "size", "length")
TEXT_LENGTH = 2000

EventDict = MutableMapping[str, Any]

_URL_PASSWORD = re.compile(r"(://[^:/@\s]*):[^@/\s]+@")
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}")


class OncePerMinute(logging.Filter):
    """Lets one record a minute through, for loggers that repeat themselves while something is down."""

    def __init__(self) -> None:
        super().__init__()
        self._next = 0.0
        self._lock = Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is the first of its minute."""
        with self._lock:
            if record.created < self._next:
                return False
            self._next = record.created + REPEAT_SECONDS
            return True


def configure_logs(settings: PlatformSettings, service: str) -> None:
    """Route structlog and the standard library's loggers to one handler on stderr.

    Args:
        settings: For the level.
        service: Name that every line carries.
    """
    shared = _processors(service)
    renderer = _console() if sys.stderr.isatty() else structlog.processors.JSONRenderer(_dump)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, mask],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                mask_text,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "alembic", "httpx", "mlflow"):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
    for name in REPEATED_LOGGERS:
        logging.getLogger(name).addFilter(OncePerMinute())
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs each request at INFO; the traces have them
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            mask,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _is_news(record: logging.LogRecord) -> bool:
    """Whether our own handler has not logged the record already, with its trace."""
    return not str(record.msg).startswith("Exception in ASGI application")


def mask(_logger: object, _name: str, event: EventDict) -> EventDict:
    """Replace secrets, wherever they are nested, and payloads by `[masked]`; drop what is None."""
    return {key: _masked(key, value) for key, value in event.items() if value is not None}


def mask_text(_logger: object, _name: str, event: EventDict) -> EventDict:
    """Mask credentials inside of texts, and cut those that make a line unreadable; a traceback keeps its end."""
    for key, value in event.items():
        if isinstance(value, str):
            text = _BEARER.sub(rf"\1 {MASK}", _URL_PASSWORD.sub(rf"\1:{MASK}@", value))
            long = len(text) > TEXT_LENGTH
            event[key] = f"…{text[-TEXT_LENGTH * 4 :]}" if long and key == "exception" else text[:TEXT_LENGTH]
    return event


def _console() -> structlog.dev.ConsoleRenderer:
    # Plain text: rich's own tracebacks print the local variables, secrets among them.
    return structlog.dev.ConsoleRenderer(
        timestamp_key="ts", event_key="event", exception_formatter=structlog.dev.plain_traceback
    )


def _processors(service: str) -> list[Any]:
    def add_service(_logger: object, _name: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        add_service,
        _add_trace,
    ]


def _add_trace(_logger: object, _name: str, event: EventDict) -> EventDict:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
    return event


def _masked(key: str, value: object) -> object:
    name = key.lower().replace("-", "_")
    if name in PAYLOADS or (any(word in name for word in SECRET_WORDS) and not name.endswith(COUNTS)):
        return MASK
    if isinstance(value, dict):
        return {str(inner): _masked(str(inner), part) for inner, part in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(key, part) for part in value]
    return value


def _dump(event: EventDict, **_options: object) -> str:
    """JSON escapes CR and LF, so no value can begin a line of its own."""
    return orjson.dumps(event, default=str, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS).decode()
