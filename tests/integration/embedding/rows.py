"""Items as the search service writes them, and what became of them."""

import hashlib

from mlplatform.database import Database
from mlplatform.events import BulkReindexRequest, CloudEvent, ItemRef, ReindexRequest


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def write(database: Database, tenant: str, entity_id: str, text: str) -> ItemRef:
    """Insert or replace an item and return what an event would call it."""
    async with database.transaction(tenant) as connection:
        await connection.execute("INSERT INTO tenants (tenant_id) VALUES (%s) ON CONFLICT DO NOTHING", (tenant,))
        await connection.execute(
            """
            INSERT INTO search_items (tenant_id, entity_type, entity_id, text, content_sha256)
            VALUES (%s, 'doc', %s, %s, %s)
            ON CONFLICT (tenant_id, entity_type, entity_id) DO UPDATE
            SET text = excluded.text, content_sha256 = excluded.content_sha256, state = 'pending', error = NULL,
                generation = search_items.generation + 1
            """,
            (tenant, entity_id, text, digest(text)),
        )
    return ItemRef(entity_type="doc", entity_id=entity_id, content_sha256=digest(text))


async def age(database: Database, tenant: str, seconds: int) -> None:
    """Make the events of all items of a tenant look old."""
    async with database.transaction(tenant) as connection:
        await connection.execute("UPDATE search_items SET queued_at = now() - make_interval(secs => %s)", (seconds,))


async def states(database: Database, tenant: str) -> dict[str, tuple[str, str | None]]:
    """Return state and error of each item by its id."""
    async with database.transaction(tenant) as connection:
        cursor = await connection.execute("SELECT entity_id, state, error FROM search_items")
        return {row["entity_id"]: (row["state"], row["error"]) for row in await cursor.fetchall()}


async def vectors(database: Database, tenant: str, space_id: int) -> dict[str, str]:
    """Return the digest of the text behind each vector by the id of its item."""
    async with database.transaction(tenant) as connection:
        cursor = await connection.execute(f"SELECT entity_id, content_sha256 FROM embeddings_{space_id}")  # noqa: S608 - a number
        return {row["entity_id"]: row["content_sha256"] for row in await cursor.fetchall()}


async def outbox(database: Database, event_type: str) -> list[CloudEvent]:
    """Return all events of a type, published or not."""
    async with database.transaction() as connection:
        await connection.execute("SELECT set_config('ml.relay', 'on', true)")
        cursor = await connection.execute("SELECT event FROM outbox WHERE type = %s ORDER BY id", (event_type,))
        return [CloudEvent.model_validate(row["event"]) for row in await cursor.fetchall()]


def request(tenant: str, *items: ItemRef) -> CloudEvent:
    return CloudEvent.of(ReindexRequest(tenant=tenant, items=list(items)), source="test")


def bulk_request(tenant: str, *items: ItemRef) -> CloudEvent:
    return CloudEvent.of(BulkReindexRequest(tenant=tenant, items=list(items)), source="test")
