"""Measure what items take on disk: `python -m benchmarks.search.sizes [--items 20000] [--words 60] [--dimension 384]`.

Makes a database of its own in the Postgres of a stack (`--stack-env`, else one is started and deleted), writes items as
the search service would, a thousand in a statement, with words as frequent as in natural language and random vectors;
prints bytes by item and drops the database. Sizes depend on the length of texts; vectors take what their dimension
says, whatever they are of.
"""

import argparse
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import numpy as np
import psycopg
from psycopg import sql
from rich.console import Console
from rich.table import Table

from benchmarks.serving.backing import backing
from mlplatform.database import migrate
from mlplatform.spaces.indexes.sizing import build_memory, graph_bytes

TENANT = "default"
BATCH = 1000
VOCABULARY = 60_000
MOST_MEMORY = 4 * 2**30
"""For the build of the HNSW index."""
PARTS = {
    "items: text, metadata, tags": "SELECT pg_table_size('search_items')",
    "items: indexes": "SELECT pg_indexes_size('search_items')",
    "words of items": "SELECT pg_total_relation_size('search_documents')",
    "postings": "SELECT pg_total_relation_size('search_postings')",
    "vectors": "SELECT pg_table_size('embeddings_1')",
    "vectors: primary key": "SELECT pg_relation_size('embeddings_1_pkey')",
    "vectors: HNSW index": "SELECT pg_relation_size('embeddings_1_hnsw')",
}


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Measure what items take on disk.")
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--words", type=int, default=60, help="words of a text")
    parser.add_argument("--dimension", type=int, default=384, help="of the vectors")
    parser.add_argument("--stack-env", type=Path, help="settings of a running stack; else one is started and deleted")
    options = parser.parse_args()
    console = Console()
    with (
        backing(options.stack_env, console.print) as settings,
        _database(settings["ML_DATABASE_ADMIN_URL"], settings["ML_DATABASE_OWNER_URL"]) as url,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        connection.execute("SELECT set_config('ml.tenant', %s, false)", (TENANT,))
        _write_items(connection, options.items, options.words)
        seconds = _write_vectors(connection, options.items, options.dimension)
        written = _sizes(connection)
        postings = int(_one(connection, "SELECT sum(entries) FROM search_segments"))
        connection.execute("VACUUM FULL search_items, search_documents, search_postings, embeddings_1")
        packed = _sizes(connection)
    table = Table("part", "bytes an item", "packed", title=f"{options.items:,} items of {options.words} words")
    for name in PARTS:
        table.add_row(name, f"{written[name] / options.items:,.0f}", f"{packed[name] / options.items:,.0f}")
    table.add_row("all", *(f"{sum(sizes.values()) / options.items:,.0f}" for sizes in (written, packed)))
    console.print(table)
    console.print(
        f"postings: {postings / options.items:.1f} an item, {written['postings'] / postings:.0f} bytes each "
        f"({packed['postings'] / postings:.0f} packed)"
    )
    graph, taken = graph_bytes(options.items, options.dimension), packed["vectors: HNSW index"]
    console.print(
        f"HNSW: built in {seconds:.0f} s with {graph / 2**20:.0f} MiB of memory as estimated; "
        f"{taken / 2**20:.0f} MiB on disk"
    )


@contextmanager
def _database(admin: str, owner: str) -> Iterator[str]:
    """Make a migrated database for the time of the block; yield its URL as the owner."""
    name = f"bench_sizes_{os.getpid()}"
    role = psycopg.conninfo.conninfo_to_dict(owner)["user"]
    with psycopg.connect(admin, autocommit=True) as server:
        make = sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(str(role)))
        server.execute(make)
        try:
            with psycopg.connect(_at(admin, name), autocommit=True) as connection:
                connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
            migrate.upgrade(_at(owner, name))
            yield _at(owner, name)
        finally:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _write_items(connection: psycopg.Connection, items: int, words: int) -> None:
    chance = np.random.default_rng(7)
    law = np.cumsum(1 / (np.arange(1, VOCABULARY + 1) + 2.7))
    law /= law[-1]
    connection.execute("INSERT INTO tenants (tenant_id) VALUES (%s) ON CONFLICT DO NOTHING", (TENANT,))
    for first in range(0, items, BATCH):
        count = min(BATCH, items - first)
        drawn = np.searchsorted(law, chance.random((count, words)))
        texts = [" ".join(map(_word, row.tolist())) for row in drawn]
        connection.execute(
            """
            INSERT INTO search_items (tenant_id, entity_type, entity_id, text, metadata, tags, content_sha256, state)
            SELECT %s, 'doc', id, text, jsonb_build_object('number', id::integer), ARRAY['all'], digest, 'embedded'
            FROM unnest(%s::text[], %s::text[], %s::text[]) AS i (id, text, digest)
            """,
            (TENANT, [f"{first + n:08}" for n in range(count)], texts, [_digest(text) for text in texts]),
        )
        while _one(connection, "SELECT merge_search_segments()"):  # the search service does so in the background
            pass


def _write_vectors(connection: psycopg.Connection, items: int, dimension: int) -> float:
    """Write vectors and build their index; return the seconds of the build."""
    chance = np.random.default_rng(8)
    connection.execute("SELECT create_embedding_space('bench', '1', %s, %s)", ("0" * 64, dimension))
    connection.execute("DROP INDEX IF EXISTS embeddings_1_hnsw")
    for first in range(0, items, BATCH):
        count = min(BATCH, items - first)
        vectors = chance.standard_normal((count, dimension)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        connection.execute(
            """
            INSERT INTO embeddings_1 (tenant_id, entity_type, entity_id, content_sha256, embedding)
            SELECT i.tenant_id, i.entity_type, i.entity_id, i.content_sha256, v.embedding::halfvec
            FROM unnest(%s::text[], %s::text[]) AS v (id, embedding)
            JOIN search_items i ON i.tenant_id = %s AND i.entity_type = 'doc' AND i.entity_id = v.id
            """,
            ([f"{first + n:08}" for n in range(count)], [_literal(vector) for vector in vectors], TENANT),
        )
    connection.execute(f"SET maintenance_work_mem = '{build_memory(items, dimension, MOST_MEMORY) // 1024}kB'")
    started = time.perf_counter()
    connection.execute("CREATE INDEX embeddings_1_hnsw ON embeddings_1 USING hnsw (embedding halfvec_cosine_ops)")
    return time.perf_counter() - started


def _sizes(connection: psycopg.Connection) -> dict[str, int]:
    return {name: int(_one(connection, query)) for name, query in PARTS.items()}


def _one(connection: psycopg.Connection, query: str) -> int:
    return connection.execute(query).fetchone()[0]


def _word(number: int) -> str:
    """Return a word that no stemmer shortens; frequent ones are short."""
    letters = "bcdfghjklmnpqrtvwxz"
    word = "k"
    while number:
        number, letter = divmod(number, len(letters))
        word = letters[letter] + word
    return f"q{word}"


def _literal(vector: np.ndarray) -> str:
    return "[" + ",".join(f"{value:.5g}" for value in vector) + "]"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _at(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


if __name__ == "__main__":
    main()
