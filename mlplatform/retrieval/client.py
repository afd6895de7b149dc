"""The search service as a user of its API sees it."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self
from urllib.parse import quote

import httpx

ITEMS_PER_REQUEST = 100
DELETED_PER_REQUEST = 16
RETRIES = 20
BUSY = {429, 503}


class ServiceError(Exception):
    """The service refused or is down."""


class SearchClient:
    """Calls of the search service; those that it is too busy for are repeated.

    Args:
        url: Base URL.
        headers: The credential; empty where authentication is off.
        entity_type: Kind of the items.
    """

    def __init__(self, url: str, headers: Mapping[str, str], entity_type: str) -> None:
        self._client = httpx.Client(base_url=url, headers=dict(headers), timeout=90, trust_env=False)
        self._entity_type = entity_type

    def __enter__(self) -> Self:
        """Return the client, whose connections the block closes."""
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def index(self, documents: Mapping[str, str]) -> Iterator[int]:
        """Index documents; yield how many each request stored."""
        for keys in _chunks(list(documents), ITEMS_PER_REQUEST):
            items = [{"entity_type": self._entity_type, "entity_id": key, "text": documents[key]} for key in keys]
            self._call("POST", "/api/v1/index", json={"items": items})
            yield len(keys)

    def state(self, key: str) -> str:
        """Return the state of a document."""
        path = f"/api/v1/index/{quote(self._entity_type, safe='')}/{quote(key, safe='')}"
        return str(self._call("GET", path).json()["state"])

    def search(self, query: str, limit: int, **options: object) -> tuple[list[str], dict[str, Any]]:
        """Return the ids that were found, the best first, and the whole answer, without the contents of items."""
        body = {"query": query, "limit": limit, "entity_types": [self._entity_type], "content": False, **options}
        answer: dict[str, Any] = self._call("POST", "/api/v1/search", json=body).json()
        return [result["entity_id"] for result in answer["results"]], answer

    def set_weight(self, weight: float, tuning: Mapping[str, float]) -> dict[str, Any]:
        """Set the weight of the kind's vectors, with the measurements that it comes from."""
        body = {"weight": weight, "tuning": dict(tuning)}
        answer: dict[str, Any] = self._call("PUT", self._settings_path, json=body).json()
        return answer

    def settings(self) -> dict[str, Any]:
        """Return the settings of the kind."""
        answer: dict[str, Any] = self._call("GET", self._settings_path).json()
        return answer

    def set_language(self, language: str) -> dict[str, Any]:
        """Set the language of the kind's words; return its settings."""
        answer: dict[str, Any] = self._call("PUT", self._settings_path, json={"language": language}).json()
        return answer

    def delete(self, keys: Sequence[str]) -> int:
        """Delete documents; return how many existed."""
        deleted = 0
        for chunk in _chunks(keys, DELETED_PER_REQUEST):
            parameters = [("entity_type", self._entity_type), *(("entity_id", key) for key in chunk)]
            deleted += self._call("DELETE", "/api/v1/index", params=parameters).json()["deleted"]
        return deleted

    @property
    def _settings_path(self) -> str:
        return f"/api/v1/search/settings/{quote(self._entity_type, safe='')}"

    def _call(self, method: str, path: str, **options: Any) -> httpx.Response:  # noqa: ANN401 - httpx's, passed on
        for _ in range(RETRIES):
            try:
                response = self._client.request(method, path, **options)
            except httpx.HTTPError as error:
                raise ServiceError(
                    f"{self._client.base_url} does not answer ({type(error).__name__}): is the stack up?"
                ) from error
            if response.status_code not in BUSY:
                break
            time.sleep(float(response.headers.get("Retry-After", "1")))
        if response.is_error:
            raise ServiceError(f"{method} {path} was answered {response.status_code}: {_problem(response)}")
        return response


def _problem(response: httpx.Response) -> str:
    """Return what the service says is wrong."""
    try:
        problem = response.json()
        return "\n".join(
            [problem["detail"], *(f"  {wrong['field']}: {wrong['message']}" for wrong in problem["errors"])]
        )
    except (ValueError, KeyError, TypeError):
        return response.text[:500]


def _chunks(keys: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), size):
        yield keys[start : start + size]
