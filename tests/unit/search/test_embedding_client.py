"""What search sends to the embedding service, and what it makes of a lost connection."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry import context as contexts

from mlplatform.auth import Principal, Role
from mlplatform.errors import DependencyUnavailable
from mlplatform.service.http_client import connect_http
from mlplatform.telemetry.sampler import DROPPED
from services.search.embedding_client import EmbeddingClient
from services.search.settings import SearchSettings

CALLER = Principal(subject="ada", tenant="acme", roles=frozenset({Role.USER}), method="jwt")
ANSWER = {"embeddings": [[1.0, 0.0]], "model": "m", "version": "1", "digest": "d"}


@dataclass(slots=True)
class Service:
    """A server that answers like the embedding service.

    Attributes:
        lost: How many requests it closes the connection on, before it answers.
        headers: Of each request.
        bodies: The same.
        url: Where it listens.
    """

    lost: int = 0
    headers: list[aiohttp.typedefs.LooseHeaders] = field(default_factory=list)
    bodies: list[dict[str, object]] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.headers.append(request.headers)
        self.bodies.append(await request.json())
        if self.lost:
            self.lost -= 1
            assert request.transport is not None
            request.transport.close()
        return web.json_response(ANSWER)


@asynccontextmanager
async def running(service: Service) -> AsyncIterator[Service]:
    """Run the server for the time of the block."""
    application = web.Application()
    application.router.add_post("/api/v1/embed", service.answer)
    async with TestServer(application) as server:
        service.url = str(server.make_url("")).rstrip("/")
        yield service


async def embed(service: Service, settings: SearchSettings, digest: str | None = None) -> None:
    """Embed a query."""
    aimed = settings.model_copy(update={"embedding_url": service.url})
    async with connect_http(aimed) as http:
        await EmbeddingClient(http, aimed).embed("a", CALLER, digest)


async def headers_sent(settings: SearchSettings) -> aiohttp.typedefs.LooseHeaders:
    """Return the headers of the request that embeds a query."""
    async with running(Service()) as service:
        await embed(service, settings)
    return service.headers[0]


class TestEmbed:
    async def test_a_text_is_sent_as_a_query(self):
        async with running(Service()) as service:
            await embed(service, SearchSettings(auth_enabled=False), "d" * 64)

        assert service.bodies == [{"texts": ["a"], "input_type": "query", "digest": "d" * 64}]

    async def test_a_connection_that_was_just_closed_is_no_outage(self):
        async with running(Service(lost=1)) as service:
            await embed(service, SearchSettings(auth_enabled=False))

        assert len(service.bodies) == 2

    async def test_a_service_that_hangs_up_again_is_one(self):
        async with running(Service(lost=9)) as service:
            with pytest.raises(DependencyUnavailable, match="embedding"):
                await embed(service, SearchSettings(auth_enabled=False))

        assert len(service.bodies) == 2

    async def test_a_service_that_is_gone_is_one(self):
        async with running(Service()) as service:
            pass
        with pytest.raises(DependencyUnavailable, match="embedding"):
            await embed(service, SearchSettings(auth_enabled=False))


class TestTrace:
    async def test_one_that_is_not_kept_is_sent_as_such_or_the_service_would_begin_one(self):
        token = contexts.attach(contexts.set_value(DROPPED, True))
        try:
            headers = await headers_sent(SearchSettings(auth_enabled=False))
        finally:
            contexts.detach(token)
        assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-00", headers["traceparent"])


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
