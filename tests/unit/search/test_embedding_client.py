"""What search sends to the embedding service."""

import json

import httpx

from mlplatform.auth import Principal, Role
from services.search.embedding_client import EmbeddingClient
from services.search.settings import SearchSettings

CALLER = Principal(subject="ada", tenant="acme", roles=frozenset({Role.USER}), method="jwt")
ANSWER = {"embeddings": [[1.0, 0.0]], "model": "m", "version": "1", "digest": "d"}


async def sent(settings: SearchSettings, digest: str | None = None) -> httpx.Request:
    """Embed a query against a transport that answers like the service, and return the request it got."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=ANSWER)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        await EmbeddingClient(http, settings).embed("a", CALLER, digest)
    return seen[0]


async def headers_sent(settings: SearchSettings) -> httpx.Headers:
    return (await sent(settings)).headers


class TestEmbed:
    async def test_a_text_is_sent_as_a_query(self):
        request = await sent(SearchSettings(auth_enabled=False), "d" * 64)

        assert json.loads(request.content) == {"texts": ["a"], "input_type": "query", "digest": "d" * 64}


class TestCredentials:
    async def test_none_where_authentication_is_off(self):
        headers = await headers_sent(SearchSettings(auth_enabled=False))
        assert "authorization" not in headers
        assert "x-api-key" not in headers

    async def test_a_token_of_its_own_with_a_shared_secret(self):
        headers = await headers_sent(SearchSettings(auth_enabled=True, jwt_secret="x" * 40))
        assert headers["authorization"].startswith("Bearer ")

    async def test_the_key_where_there_is_one(self):
        settings = SearchSettings(
            auth_enabled=True, jwt_jwks_url="https://issuer.example/jwks", search_embedding_key="mlk_a.b"
        )
        headers = await headers_sent(settings)
        assert headers["x-api-key"] == "mlk_a.b"
        assert "authorization" not in headers
