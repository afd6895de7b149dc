"""Calls of the serving service from commands: the address, the credential, and how a refusal reads.

The client is imported inside the functions, since `mlp --help` must answer at once.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote

from mlplatform.cli.owner import FAILED, fail, load_settings

if TYPE_CHECKING:
    import httpx

TIMEOUT_SECONDS = 30.0
PRECONDITION = 3
"""Exit code when somebody changed it meanwhile."""
UNREACHABLE = 5
CHANGED = frozenset({409, 412})


def credential() -> dict[str, str]:
    """Return the header of `ML_TOKEN` or `ML_API_KEY`; none where authentication is off."""
    if token := os.environ.get("ML_TOKEN"):
        return {"Authorization": f"Bearer {token}"}
    if key := os.environ.get("ML_API_KEY"):
        return {"X-API-Key": key}
    return {}


def call(
    method: str,
    path: str,
    *,
    body: object = None,
    headers: dict[str, str] | None = None,
    query: Mapping[str, str | int] | None = None,
) -> "httpx.Response":
    """Call the service at `ML_SERVING_URL`; ends the command with the service's own words when that is refused.

    Args:
        method: of HTTP.
        path: below `/api/v1/`, each part quoted.
        body: sent as JSON.
        headers: besides the credential.
        query: of the address.
    """
    import httpx  # noqa: PLC0415 - see the module

    try:
        answer = send(method, path, body=body, headers=headers, query=query)
    except httpx.TransportError as error:
        unreachable(path, error)
    refuse(answer)
    return answer


def send(
    method: str,
    path: str,
    *,
    body: object = None,
    headers: dict[str, str] | None = None,
    query: Mapping[str, str | int] | None = None,
) -> "httpx.Response":
    """Call the service as `call` does, for those who bear that it is away or refuses.

    Raises:
        httpx.TransportError: It does not answer.
    """
    import httpx  # noqa: PLC0415 - see the module

    sent = credential() | (headers or {})
    return httpx.request(
        method, url_of(path), json=body, params=query, headers=sent, timeout=TIMEOUT_SECONDS, trust_env=False
    )


def refuse(answer: "httpx.Response") -> None:
    """End the command with the service's own words, unless it did what it was asked for."""
    if not answer.is_success:
        fail(_problem(answer), PRECONDITION if answer.status_code in CHANGED else FAILED)


def unreachable(path: str, error: Exception) -> NoReturn:
    """End the command since the service is away."""
    fail(
        f"The serving service does not answer at {url_of(path)}: {type(error).__name__}. Is ML_SERVING_URL right?",
        UNREACHABLE,
    )


def quoted(*parts: str) -> str:
    """Return parts of a path as one."""
    return "/".join(quote(part, safe="") for part in parts)


def url_of(path: str) -> str:
    """Return the address of a path below `/api/v1/`."""
    return f"{str(load_settings().serving_url).rstrip('/')}/api/v1/{path}"


def problem_code(answer: "httpx.Response") -> str | None:
    """Return the code of a refusal; None of any other answer."""
    try:
        return str(answer.json()["code"])
    except (ValueError, KeyError, TypeError):
        return None


def _problem(answer: "httpx.Response") -> str:
    try:
        problem: dict[str, Any] = answer.json()
        lines = [str(problem["detail"])]
        lines += [f"  {wrong['field']}: {wrong['message']}" for wrong in problem.get("errors", [])]
    except (ValueError, KeyError, TypeError):
        return f"The serving service answered {answer.status_code}."
    if answer.status_code in {401, 403}:
        lines.append("Set ML_TOKEN (mlp token --role ml_admin) or ML_API_KEY.")
    return "\n".join(lines)
