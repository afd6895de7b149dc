"""Plain pgvector with the SQL of its README: one table, an HNSW index, and GIN indexes for words and tags."""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from pgvector.psycopg import register_vector

from benchmarks.search.corpus import Corpus
from benchmarks.search.stores.clock import Clock
from benchmarks.search.stores.serve import Answer, serve

DEPTH = 10
TABLE = """
CREATE TABLE items (
    id        bigint PRIMARY KEY,
    text      text NOT NULL,
    tags      text[] NOT NULL,
    embedding vector({dimension}) NOT NULL,
    words     tsvector GENERATED ALWAYS AS (to_tsvector('english', text)) STORED
)
"""
VECTORS = "CREATE INDEX ON items USING hnsw (embedding vector_cosine_ops)"
INDEXES = {"words": "CREATE INDEX ON items USING gin (words)", "tags": "CREATE INDEX ON items USING gin (tags)"}
NEAREST = """
SELECT id, text FROM items WHERE {filter} ORDER BY embedding <=> %(vector)s LIMIT %(depth)s
"""
HYBRID = """
WITH nearest AS (
    SELECT id, row_number() OVER (ORDER BY embedding <=> %(vector)s) AS rank FROM items WHERE {filter}
    ORDER BY embedding <=> %(vector)s LIMIT 20
), worded AS (
    SELECT id, row_number() OVER (ORDER BY ts_rank_cd(words, query) DESC) AS rank
    FROM items, plainto_tsquery('english', %(text)s) AS query WHERE words @@ query AND {filter}
    ORDER BY ts_rank_cd(words, query) DESC LIMIT 20
), fused AS (
    SELECT coalesce(nearest.id, worded.id) AS id,
        coalesce(1.0 / (60 + nearest.rank), 0.0) + coalesce(1.0 / (60 + worded.rank), 0.0) AS score
    FROM nearest FULL OUTER JOIN worded ON nearest.id = worded.id
)
SELECT id, text FROM fused JOIN items USING (id) ORDER BY score DESC LIMIT %(depth)s
"""
BYTES_PER_VECTOR = 4
GRAPH_BYTES = 1024
"""Of a vector in the graph of a build, besides its values."""
LEAST_MEMORY_KIB = 65_536


class UsualStore:
    """A table in a database of its own.

    Args:
        place: `url` of the database, as its owner.
    """

    def __init__(self, place: Mapping[str, Any]) -> None:
        self._url = place["url"]

    def load(self, corpus: Corpus) -> dict[str, float]:
        """Copy the items, then build the indexes with enough memory for the whole graph."""
        clock = Clock()
        dimension = corpus.centres.shape[1]
        with self._connect({}) as connection:
            connection.execute(TABLE.format(dimension=dimension))
            for chunk in corpus.chunks():
                rows = [
                    (chunk.first + place, text, chunk.tags_of(place), vector)
                    for place, (text, vector) in enumerate(zip(chunk.texts, chunk.vectors, strict=True))
                ]
                with clock.step("items"), connection.cursor() as cursor:
                    statement = "COPY items (id, text, tags, embedding) FROM STDIN WITH (FORMAT BINARY)"
                    with cursor.copy(statement) as copy:
                        copy.set_types(["int8", "text", "text[]", "vector"])
                        for row in rows:
                            copy.write_row(row)
            memory = max(LEAST_MEMORY_KIB, corpus.items * (BYTES_PER_VECTOR * dimension + GRAPH_BYTES) // 1024)
            connection.execute(f"SET maintenance_work_mem = '{memory}kB'")
            for step, statement in {"vectors": VECTORS, **INDEXES, "analyze": "VACUUM (ANALYZE) items"}.items():
                with clock.step(step):
                    connection.execute(statement)
        return clock.rounded()

    def asker(self, parameters: Mapping[str, Any], mode: str, tag: str | None) -> Answer:
        """Return what asks for the best items, with their texts, on a connection with these settings."""
        connection = self._connect(parameters)
        statement = HYBRID if mode == "hybrid" else NEAREST
        statement = statement.format(filter="true" if tag is None else "tags @> %(tags)s")

        def answer(text: str, vector: Sequence[float]) -> list[int]:
            literal = "[" + ",".join(map(repr, vector)) + "]"
            values = {"vector": literal, "text": text, "tags": [tag], "depth": DEPTH}
            return [row[0] for row in connection.execute(statement, values).fetchall()]

        return answer

    def size(self) -> int:
        """Return the bytes of its database."""
        with self._connect({}) as connection:
            row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        return int(row[0])

    def _connect(self, settings: Mapping[str, Any]) -> psycopg.Connection:
        connection = psycopg.connect(self._url, autocommit=True)
        register_vector(connection)
        for name, value in settings.items():
            connection.execute("SELECT set_config(%s, %s, false)", (name, str(value)))
        return connection


if __name__ == "__main__":
    serve(UsualStore)
