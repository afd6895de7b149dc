"""Stores, events, and a consumer in the background."""

from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import psycopg
import pytest
from redis.asyncio import Redis

from mlplatform.database import Database
from mlplatform.events import CloudEvent, ItemRef, ReindexRequest
from tests.fixtures.database import DatabaseUrls

TYPE = ReindexRequest.event_type


def make_event(tenant: str = "acme") -> CloudEvent:
    """Return an event with an id of its own."""
    item = ItemRef(entity_type="note", entity_id=uuid4().hex, content_sha256="0" * 64)
    return CloudEvent.of(ReindexRequest(tenant=tenant, items=[item]), source="test", subject=tenant)


@pytest.fixture
async def database(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    """Yield an open pool under the services' role."""
    pool = Database(database_urls.app, max_size=4)
    await pool.open()
    yield pool
    await pool.close()


@pytest.fixture
def owner(database_urls: DatabaseUrls) -> Iterator[psycopg.Connection]:
    """Yield a connection of the role that owns the tables and sees all rows."""
    with psycopg.connect(database_urls.owner, autocommit=True) as connection:
        yield connection


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """Yield a client whose short socket timeout keeps blocking reads short."""
    client = Redis.from_url(redis_url, socket_timeout=0.4)
    yield client
    await client.aclose()
