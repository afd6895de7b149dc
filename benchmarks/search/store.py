"""A database of its own, filled with a corpus as the services would leave it."""

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import psycopg
from corpus import Chunk, Corpus
from numpy.typing import NDArray
from psycopg import sql

from mlplatform.database import migrate

TENANT = "default"
KIND = "doc"
BUILD_MEMORY = "2GB"


@contextmanager
def database(admin_url: str, owner_url: str, app_url: str, name: str, *, keep: bool) -> Iterator[tuple[str, str, bool]]:
    """Make a migrated database for the time of the block, or go on with one that was kept.

    Yields:
        URL of the owner, URL of the services' role, and whether it is new.
    """
    owner = psycopg.conninfo.conninfo_to_dict(owner_url)["user"]
    with psycopg.connect(admin_url, autocommit=True) as server:
        is_new = server.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is None
        if is_new:
            make = sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(str(owner)))
            server.execute(make)
    try:
        if is_new:
            with psycopg.connect(_at(admin_url, name), autocommit=True) as connection:
                connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
            migrate.upgrade(_at(owner_url, name))
        yield _at(owner_url, name), _at(app_url, name), is_new
    finally:
        if not keep:
            with psycopg.connect(admin_url, autocommit=True) as server:
                server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def fill(owner_url: str, corpus: Corpus, model: dict[str, str]) -> dict[str, float]:
    """Write every item with its postings and its vector, then build the HNSW index.

    Args:
        owner_url: The database, as its owner.
        corpus: The items.
        model: name, version and digest of the model of the vectors.

    Returns:
        Seconds of each step.
    """
    seconds = {"items": 0.0, "vectors": 0.0}
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute("SELECT set_config('ml.tenant', %s, false)", (TENANT,))
        connection.execute("INSERT INTO tenants (tenant_id) VALUES (%s) ON CONFLICT DO NOTHING", (TENANT,))
        space = connection.execute(
            "SELECT create_embedding_space(%s, %s, %s, %s)",
            (model["name"], model["version"], model["digest"], corpus.centres.shape[1]),
        ).fetchone()
        table = sql.Identifier(f"embeddings_{space[0]}")
        index = sql.Identifier(f"embeddings_{space[0]}_hnsw")
        connection.execute(sql.SQL("DROP INDEX IF EXISTS {}").format(index))
        for chunk in corpus.chunks():
            started = time.perf_counter()
            _write_items(connection, chunk)
            seconds["items"] += time.perf_counter() - started
            started = time.perf_counter()
            _write_vectors(connection, table, chunk)
            seconds["vectors"] += time.perf_counter() - started
        started = time.perf_counter()
        connection.execute(f"SET maintenance_work_mem = '{BUILD_MEMORY}'")
        build = sql.SQL("CREATE INDEX {} ON {} USING hnsw (embedding halfvec_cosine_ops)").format(index, table)
        connection.execute(build)
        seconds["hnsw"] = time.perf_counter() - started
        connection.execute("VACUUM (ANALYZE)")
    return {name: round(value, 1) for name, value in seconds.items()}


def vectors_of(corpus: Corpus) -> tuple[NDArray[np.float16], dict[str, NDArray[np.bool_]]]:
    """Return all vectors as they are stored, and who has which tag, for the exact answers."""
    stored, tags = [], []
    for chunk in corpus.chunks():
        stored.append(chunk.vectors.astype(np.float16))
        tags.append(chunk.tags)
    return np.concatenate(stored), {name: np.concatenate([each[name] for each in tags]) for name in tags[0]}


def _write_items(connection: psycopg.Connection, chunk: Chunk) -> None:
    rows = []
    for place, text in enumerate(chunk.texts):
        number = chunk.first + place
        tags = [name for name, who in chunk.tags.items() if who[place]]
        digest = hashlib.sha256(text.encode()).hexdigest()
        rows.append((TENANT, KIND, f"{number:08}", text, f'{{"number": {number}}}', tags, digest, "embedded"))
    columns = "tenant_id, entity_type, entity_id, text, metadata, tags, content_sha256, state"
    _write(connection, sql.SQL("search_items"), columns, rows)


def _write_vectors(connection: psycopg.Connection, table: sql.Identifier, chunk: Chunk) -> None:
    rows = []
    for place, vector in enumerate(chunk.vectors):
        digest = hashlib.sha256(chunk.texts[place].encode()).hexdigest()
        rows.append((TENANT, KIND, f"{chunk.first + place:08}", digest, literal(vector)))
    _write(connection, table, "tenant_id, entity_type, entity_id, content_sha256, embedding", rows)


def _write(
    connection: psycopg.Connection, table: sql.Composable, columns: str, rows: Sequence[tuple[object, ...]]
) -> None:
    """Copy rows by way of a temporary table: row-level security lets nobody copy into a table that it holds."""
    names = sql.SQL(columns)
    with connection.transaction(), connection.cursor() as cursor:
        make = sql.SQL("CREATE TEMPORARY TABLE staged ON COMMIT DROP AS SELECT {} FROM {} LIMIT 0")
        cursor.execute(make.format(names, table))
        with cursor.copy(sql.SQL("COPY staged ({}) FROM STDIN").format(names)) as copy:
            for row in rows:
                copy.write_row(row)
        cursor.execute(sql.SQL("INSERT INTO {} ({}) SELECT {} FROM staged").format(table, names, names))


def literal(vector: Sequence[float]) -> str:
    """Write a vector as pgvector reads it."""
    return "[" + ",".join(f"{value:.5g}" for value in vector) + "]"


def _at(url: str, name: str) -> str:
    return f"{url.rpartition('/')[0]}/{name}"
