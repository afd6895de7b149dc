"""Forms that several variables share."""

import json
import re
from datetime import timedelta
from urllib.parse import urlsplit

from pydantic import SecretStr

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?")
_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def read_duration(value: object) -> object:
    """Read `20` or `20s` as seconds, likewise `500ms`, `5m`, `2h`, `1d`; ISO 8601 and the rest are left to pydantic."""
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    return value if match is None else timedelta(**{_UNITS[match[2] or "s"]: float(match[1])})


def split_list(value: object) -> object:
    """Read `a,b` or `["a","b"]`; anything that is no text is left to pydantic."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return json.loads(value)
    return [part.strip() for part in value.split(",") if part.strip()]


def check_url(value: str) -> str:
    """Accept `http(s)://host[:port][/path]`, without the trailing slash.

    Raises:
        ValueError: The text is no such URL.
    """
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be a URL such as http://127.0.0.1:9000")
    return value.rstrip("/")


def check_origin(value: str) -> str:
    """Accept a CORS origin: `*` or a URL without a path.

    Raises:
        ValueError: The text is no origin.
    """
    if value == "*":
        return value
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path not in {"", "/"} or parts.query:
        raise ValueError("must be an origin such as https://ui.example.org, without a path")
    return f"{parts.scheme}://{parts.netloc}"


def parse_headers(value: str) -> dict[str, str]:
    """Read `name=value,name=value`.

    Raises:
        ValueError: A part has no `=` or no name.
    """
    headers = {}
    for part in filter(None, (part.strip() for part in value.split(","))):
        name, separator, content = part.partition("=")
        if not separator or not name.strip():
            raise ValueError("must be name=value,name=value")
        headers[name.strip().lower()] = content.strip()
    return headers


def check_headers(value: SecretStr) -> SecretStr:
    """Refuse headers that :func:`parse_headers` cannot read.

    Raises:
        ValueError: A part has no `=` or no name.
    """
    parse_headers(value.get_secret_value())
    return value
