"""Calls of the serving service for commands; the credential comes from the environment, never from the command line."""

import os
from typing import TYPE_CHECKING, Any

from mlplatform.cli.owner import fail, load_settings

if TYPE_CHECKING:
    import httpx

API_KEY = "ML_API_KEY"
SECONDS = 60.0


def ask(method: str, path: str, **options: Any) -> "httpx.Response":  # noqa: ANN401 - httpx's own options
    """Call the service; ends the command when it does not answer or refuses.

    Args:
        method: Of HTTP.
        path: Below `ML_SERVING_URL`.
        options: As httpx takes them.
    """
    import httpx  # noqa: PLC0415 - `mlp --help` must answer at once

    url = load_settings().serving_url
    key = os.environ.get(API_KEY)
    headers = {"X-API-Key": key} if key else {}
    try:
        answer = httpx.request(method, f"{url}{path}", headers=headers, timeout=SECONDS, trust_env=False, **options)
    except httpx.HTTPError as error:
        fail(f"Model serving at {url} does not answer ({type(error).__name__}). Run mlp up, or set ML_SERVING_URL.")
    if answer.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        fail(f"Model serving refused: {_detail(answer)} Set {API_KEY} to a key; mlp keys create makes one.")
    if not answer.is_success:
        fail(f"Model serving answered {answer.status_code}: {_detail(answer)}")
    return answer


def _detail(answer: "httpx.Response") -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return answer.reason_phrase
