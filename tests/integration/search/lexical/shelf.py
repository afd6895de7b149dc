"""The items of one tenant, written and searched as the service does."""

from collections.abc import Sequence

from mlplatform.database import Database
from services.search import repository
from services.search.filters import Filters
from services.search.items import Item
from services.search.lexical import BlockMemory, LexicalHits, LexicalLeg, parse_query

MEMORY = 200_000
"""Bytes; a term may take a fourth of it."""


class Shelf:
    """Items and queries of a tenant, each call in a transaction of its own."""

    def __init__(self, database: Database, tenant: str) -> None:
        self.database = database
        self.tenant = tenant
        self.leg = LexicalLeg(BlockMemory(MEMORY))

    async def save(self, *items: Item) -> None:
        async with self.database.transaction(self.tenant) as connection:
            await repository.save_items(connection, items)

    async def put(self, **texts: str) -> None:
        """Save items of type `doc` with these texts."""
        await self.save(*(Item("doc", key, text) for key, text in texts.items()))

    async def delete(self, *entity_ids: str, entity_type: str = "doc") -> None:
        async with self.database.transaction(self.tenant) as connection:
            await repository.delete_items(connection, entity_type, entity_ids)

    async def search(self, query: str, filters: Filters | None = None, limit: int = 10) -> LexicalHits:
        async with self.database.transaction(self.tenant) as connection:
            return await self.leg.search(connection, self.tenant, parse_query(query), filters or Filters(), limit)

    async def found(self, query: str, filters: Filters | None = None, limit: int = 10) -> list[str]:
        return [hit.entity_id for hit in (await self.search(query, filters, limit)).hits]

    async def scores(self, query: str, limit: int = 1000) -> list[tuple[str, float]]:
        return [(hit.entity_id, hit.score) for hit in (await self.search(query, limit=limit)).hits]

    async def rows(self, statement: str, values: Sequence[object] = ()) -> list[tuple[object, ...]]:
        """Return what the service's role reads as this tenant."""
        async with self.database.transaction(self.tenant) as connection:
            cursor = await connection.execute(statement, values)  # type: ignore[arg-type]  # of the tests themselves
            return [tuple(row.values()) for row in await cursor.fetchall()]
