"""Whoever is turned away leaves an audit row."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI
from redis.asyncio import Redis

from mlplatform.audit import AuditLog
from mlplatform.auth import Authenticator, Permission, Principal, Role, mint_token, require
from mlplatform.database import Database
from mlplatform.errors import install_problem_handlers
from mlplatform.ratelimit import RateLimiter
from mlplatform.settings import PlatformSettings

SETTINGS = PlatformSettings(
    auth_enabled=True, jwt_secret="secret-of-this-test-with-32-bytes-or-more", rate_limit_burst=5
)


@dataclass
class Gate:
    """The part of the kernel that access needs."""

    authenticator: Authenticator
    limiter: RateLimiter
    audit: AuditLog


async def search(principal: Annotated[Principal, require(Permission.SEARCH)]) -> dict[str, str]:
    return {"subject": principal.subject, "tenant": principal.tenant}


async def promote(principal: Annotated[Principal, require(Permission.PROMOTE)]) -> dict[str, str]:
    return {"subject": principal.subject}


@pytest.fixture
async def audit(database: Database) -> AsyncIterator[AuditLog]:
    log = AuditLog(database)
    yield log
    await log.close()


@pytest.fixture
async def client(database: Database, audit: AuditLog, redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with Redis.from_url(redis_url) as redis, serve(database, audit, redis) as client:
        yield client


def serve(database: Database, audit: AuditLog, redis: Redis) -> httpx.AsyncClient:
    service = FastAPI()
    service.state.kernel = Gate(Authenticator(SETTINGS, database), RateLimiter(redis, SETTINGS), audit)
    service.add_api_route("/search/{name}", search)
    service.add_api_route("/promote", promote)
    install_problem_handlers(service)
    return httpx.AsyncClient(transport=httpx.ASGITransport(service, client=("192.0.2.7", 1)), base_url="http://test")


def bearer(*roles: Role) -> dict[str, str]:
    ttl = timedelta(minutes=1)
    return {"Authorization": f"Bearer {mint_token(SETTINGS, subject='ada', tenant='acme', roles=roles, ttl=ttl)}"}


@pytest.fixture
def owner_audit(owner_database: Database) -> AuditLog:
    return AuditLog(owner_database)


class TestAdmit:
    async def test_permitted(self, client: httpx.AsyncClient, owner_audit: AuditLog) -> None:
        answer = await client.get("/search/x", headers=bearer(Role.USER))

        assert (answer.status_code, answer.json()) == (200, {"subject": "ada", "tenant": "acme"})
        assert await owner_audit.newest(limit=10) == []

    async def test_nobody(self, client: httpx.AsyncClient, owner_audit: AuditLog) -> None:
        answer = await client.get("/search/secret-name")

        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="ml-platform"'
        [event] = await owner_audit.newest(limit=10)
        assert (event["action"], event["actor"], event["resource"]) == (
            "access.denied",
            "anonymous",
            "GET /search/{name}",
        )
        assert event["detail"] == {"reason": "missing", "client": "192.0.2.7", "status": 401}

    async def test_role_is_missing(self, client: httpx.AsyncClient, owner_audit: AuditLog) -> None:
        answer = await client.get("/promote", headers=bearer(Role.PUBLISHER))

        assert answer.status_code == 403
        assert 'scope="promote"' in answer.headers["WWW-Authenticate"]
        [event] = await owner_audit.newest(limit=10)
        assert (event["actor"], event["tenant"], event["outcome"]) == ("ada", "acme", "denied")
        assert event["detail"]["reason"] == "permission"

    async def test_two_credentials(self, client: httpx.AsyncClient, owner_audit: AuditLog) -> None:
        answer = await client.get("/search/x", headers=bearer(Role.USER) | {"X-API-Key": "mlk_x"})

        assert answer.status_code == 400
        [event] = await owner_audit.newest(limit=10)
        assert event["detail"]["reason"] == "ambiguous"

    async def test_flood_of_denials(self, client: httpx.AsyncClient, audit: AuditLog, owner_audit: AuditLog) -> None:
        answers = [(await client.get("/search/x")).status_code for _ in range(8)]
        permitted = await client.get("/search/x", headers=bearer(Role.USER))
        await audit.close()

        assert answers == [401] * 5 + [429] * 3
        assert permitted.status_code == 200
        details = [event["detail"] for event in await owner_audit.newest(limit=10)]
        assert [detail.get("suppressed", 1) for detail in details] == [7, 1]


class TestWithoutRedis:
    async def test_users_go_on_and_administrators_wait(self, database: Database, audit: AuditLog) -> None:
        async with Redis.from_url("redis://127.0.0.1:1/0") as redis, serve(database, audit, redis) as client:
            searched = await client.get("/search/x", headers=bearer(Role.USER))
            promoted = await client.get("/promote", headers=bearer(Role.ML_ADMIN))

        assert (searched.status_code, promoted.status_code) == (200, 503)
