"""The search service as one tenant uses it."""

from collections.abc import Sequence
from datetime import timedelta

import httpx

from mlplatform.auth import Role, mint_token
from services.search.settings import SearchSettings

PUBLISHER = (Role.PUBLISHER,)
SECONDS = timedelta(minutes=5)


def item(entity_id: str, text: str, **more: object) -> dict[str, object]:
    return {"entity_type": "doc", "entity_id": entity_id, "text": text, **more}


class SearchApi:
    """Calls with a token of one tenant."""

    def __init__(
        self, client: httpx.AsyncClient, settings: SearchSettings, tenant: str, roles: Sequence[Role] = PUBLISHER
    ) -> None:
        self._client = client
        token = mint_token(settings, subject="tester", tenant=tenant, roles=roles, ttl=SECONDS)
        self.headers = {"Authorization": f"Bearer {token}"}

    async def index(self, *items: dict[str, object], headers: dict[str, str] | None = None, **more: object):
        body = {"items": items, **more}
        return await self._client.post("/api/v1/index", json=body, headers=self.headers | (headers or {}))

    async def index_and_wait(self, *items: dict[str, object]) -> None:
        answer = await self.index(*items, wait=True, wait_seconds=60)
        assert {**answer.json(), "truncated": 0} == {
            "accepted": len(items),
            "embedded": len(items),
            "failed": 0,
            "truncated": 0,
        }

    async def search(self, query: str, **more: object) -> httpx.Response:
        return await self._client.post("/api/v1/search", json={"query": query, **more}, headers=self.headers)

    async def found(self, query: str, **more: object) -> list[str]:
        """Return the ids that a query finds, the best first."""
        answer = await self.search(query, **more)
        assert answer.status_code == 200, answer.text
        return [result["entity_id"] for result in answer.json()["results"]]

    async def get(self, entity_id: str, entity_type: str = "doc") -> httpx.Response:
        return await self._client.get(f"/api/v1/index/{entity_type}/{entity_id}", headers=self.headers)

    async def delete(self, *entity_ids: str, entity_type: str = "doc") -> httpx.Response:
        parameters = {"entity_type": entity_type, "entity_id": list(entity_ids)}
        return await self._client.delete("/api/v1/index", params=parameters, headers=self.headers)
