"""Spaces whose vectors were made by SQL, many at a time."""

import psycopg
from psycopg import sql

from mlplatform.database import Database
from mlplatform.spaces import changes, repository
from mlplatform.spaces.space import SpaceRecord

MODEL = "text-embedder"
DIMENSION = 8
OPERATOR = "operator:test"


def add_items(owner: psycopg.Connection, count: int, *, first: int = 1) -> None:
    """Write items of the tenant acme as if they were embedded. Their words are of no account here, and not indexed."""
    owner.execute("INSERT INTO tenants (tenant_id) VALUES ('acme') ON CONFLICT DO NOTHING")
    owner.execute("ALTER TABLE search_items DISABLE TRIGGER USER")
    owner.execute(
        """
        INSERT INTO search_items (tenant_id, entity_type, entity_id, text, content_sha256, state)
        SELECT 'acme', 'doc', n::text, 'text', encode(sha256(n::text::bytea), 'hex'), 'embedded'
        FROM generate_series(%s::integer, %s) n
        """,
        (first, first + count - 1),
    )
    owner.execute("ALTER TABLE search_items ENABLE TRIGGER USER")


def add_vectors(connection: psycopg.Connection, space_id: int) -> None:
    """Give every item that lacks one a vector."""
    connection.execute(
        sql.SQL(
            """
            INSERT INTO {table} (tenant_id, entity_type, entity_id, content_sha256, embedding)
            SELECT i.tenant_id, i.entity_type, i.entity_id, i.content_sha256,
                ARRAY(SELECT random() - 0.5 FROM generate_series(1, {dimension}) WHERE i.entity_id <> '')::halfvec
            FROM search_items i
            WHERE NOT EXISTS (SELECT FROM {table} e WHERE (e.tenant_id, e.entity_type, e.entity_id)
                = (i.tenant_id, i.entity_type, i.entity_id))
            """
        ).format(table=sql.Identifier(f"embeddings_{space_id}"), dimension=sql.Literal(DIMENSION))
    )


async def make_space(database: Database, version: str, *, live_items: int | None = None) -> SpaceRecord:
    """Make a space of other weights; the first is active at once."""
    planned = await changes.plan(database, MODEL, version, OPERATOR)
    async with database.transaction() as connection:
        digest = f"{int(version):064x}"
        await repository.define_space(connection, planned.id, digest, DIMENSION, live_items=live_items)
    return await changes.find_space(database, planned.id)


def index_oids(owner: psycopg.Connection, space_id: int) -> list[int]:
    """Return every HNSW index of a space, valid or not."""
    rows = owner.execute(
        """
        SELECT i.indexrelid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
        WHERE a.amname = 'hnsw' AND i.indrelid = %s::regclass
        """,
        (f"embeddings_{space_id}",),
    )
    return [row[0] for row in rows]
