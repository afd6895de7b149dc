"""Redis, events, and a consumer in the background."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from mlplatform.events import CloudEvent, ItemRef, ReindexRequest, streams

TYPE = ReindexRequest.event_type


def make_event(tenant: str = "acme") -> CloudEvent:
    """Return an event with an id of its own."""
    item = ItemRef(entity_type="note", entity_id=uuid4().hex, content_sha256="0" * 64)
    return CloudEvent.of(ReindexRequest(tenant=tenant, items=[item]), source="test", subject=tenant)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """Yield a client whose short socket timeout keeps blocking reads short."""
    client = Redis.from_url(redis_url, socket_timeout=0.4)
    yield client
    await client.aclose()


@pytest.fixture(autouse=True)
def block(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have reads wait as long as they do outside of tests."""
    monkeypatch.setattr(streams, "LONGEST_BLOCK", 1.0)
