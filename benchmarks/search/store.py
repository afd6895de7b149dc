"""The platform's tables, filled with a corpus as the services would leave them."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from pgvector import HalfVector
from pgvector.psycopg import register_vector
from psycopg import sql
from psycopg.types.json import Jsonb

from benchmarks.search.corpus import Chunk, Corpus
from benchmarks.search.stores.clock import Clock
from mlplatform.spaces.indexes.sizing import build_memory

TENANT = "default"
KIND = "doc"
MOST_MEMORY = 4 * 2**30
"""For the build of the HNSW index."""
ITEMS = {
    "tenant_id": "text",
    "entity_type": "text",
    "entity_id": "text",
    "text": "text",
    "metadata": "jsonb",
    "tags": "text[]",
    "content_sha256": "text",
    "state": "text",
}
VECTORS = {
    "tenant_id": "text",
    "entity_type": "text",
    "entity_id": "text",
    "content_sha256": "text",
    "embedding": "halfvec",
}


def fill(owner_url: str, corpus: Corpus, model: Mapping[str, str]) -> dict[str, float]:
    """Write every item with its postings and its vector, then build the HNSW index.

    Args:
        owner_url: The database, as its owner.
        corpus: The items.
        model: name, version and digest of the model of the vectors.

    Returns:
        Seconds of each step, the making of items left out.
    """
    clock = Clock()
    dimension = corpus.centres.shape[1]
    with _session(owner_url) as connection:
        connection.execute("INSERT INTO tenants (tenant_id) VALUES (%s) ON CONFLICT DO NOTHING", (TENANT,))
        space = connection.execute(
            "SELECT create_embedding_space(%s, %s, %s, %s)",
            (model["name"], model["version"], model["digest"], dimension),
        ).fetchone()
        table = sql.Identifier(f"embeddings_{space[0]}")
        index = sql.Identifier(f"embeddings_{space[0]}_hnsw")
        connection.execute(sql.SQL("DROP INDEX IF EXISTS {}").format(index))
        for chunk in corpus.chunks():
            digests = [hashlib.sha256(text.encode()).hexdigest() for text in chunk.texts]
            items, vectors = _items(chunk, digests), _vectors(chunk, digests)
            with clock.step("items"):
                _write(connection, sql.Identifier("search_items"), ITEMS, items)
            with clock.step("vectors"):
                _write(connection, table, VECTORS, vectors)
        with clock.step("hnsw"):
            memory = build_memory(corpus.items, dimension, MOST_MEMORY)
            connection.execute(f"SET maintenance_work_mem = '{memory // 1024}kB'")
            build = sql.SQL("CREATE INDEX {} ON {} USING hnsw (embedding halfvec_cosine_ops)").format(index, table)
            connection.execute(build)
        with clock.step("words"):  # the search service does so in the background
            while connection.execute("SELECT merge_search_segments()").fetchone()[0]:
                pass
        with clock.step("analyze"):
            connection.execute("VACUUM (ANALYZE)")
    return clock.rounded()


def size(owner_url: str) -> int:
    """Return the bytes of the database."""
    with psycopg.connect(owner_url) as connection:
        return int(connection.execute("SELECT pg_database_size(current_database())").fetchone()[0])


def delete(owner_url: str, kind: str) -> None:
    """Delete the items of a kind."""
    with _session(owner_url) as connection:
        connection.execute("DELETE FROM search_items WHERE tenant_id = %s AND entity_type = %s", (TENANT, kind))


@contextmanager
def _session(owner_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute("SELECT set_config('ml.tenant', %s, false)", (TENANT,))
        register_vector(connection)
        yield connection


def name_of(number: int) -> str:
    """Return the id of an item."""
    return f"{number:08}"


def _items(chunk: Chunk, digests: Sequence[str]) -> list[tuple[Any, ...]]:
    return [
        (
            TENANT,
            KIND,
            name_of(chunk.first + place),
            text,
            Jsonb({"number": chunk.first + place}),
            chunk.tags_of(place),
            digests[place],
            "embedded",
        )
        for place, text in enumerate(chunk.texts)
    ]


def _vectors(chunk: Chunk, digests: Sequence[str]) -> list[tuple[Any, ...]]:
    return [
        (TENANT, KIND, name_of(chunk.first + place), digests[place], HalfVector(vector))
        for place, vector in enumerate(chunk.vectors)
    ]


def _write(
    connection: psycopg.Connection, table: sql.Composable, columns: Mapping[str, str], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Copy rows by way of a temporary table: row-level security lets nobody copy into a table that it holds."""
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    with connection.transaction(), connection.cursor() as cursor:
        make = sql.SQL("CREATE TEMPORARY TABLE staged ON COMMIT DROP AS SELECT {} FROM {} LIMIT 0")
        cursor.execute(make.format(names, table))
        with cursor.copy(sql.SQL("COPY staged ({}) FROM STDIN WITH (FORMAT BINARY)").format(names)) as copy:
            copy.set_types(list(columns.values()))
            for row in rows:
                copy.write_row(row)
        cursor.execute(sql.SQL("INSERT INTO {} ({}) SELECT {} FROM staged").format(table, names, names))
