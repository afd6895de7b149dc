"""LanceDB as its documentation sets it up: an index for vectors, one for words, one for tags."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import lancedb
import pyarrow as pa
from lancedb.index import FTS, IvfPq, LabelList

from benchmarks.search.corpus import Chunk, Corpus
from benchmarks.search.stores import folder
from benchmarks.search.stores.clock import Clock
from benchmarks.search.stores.serve import Answer, serve

TABLE = "items"
DEPTH = 10


class LanceStore:
    """A database in a folder.

    Args:
        place: `folder`.
    """

    def __init__(self, place: Mapping[str, Any]) -> None:
        self._folder = Path(place["folder"])
        self._database = lancedb.connect(str(self._folder))

    def load(self, corpus: Corpus) -> dict[str, float]:
        """Add the items in chunks, then build the indexes."""
        clock = Clock()
        table = None
        for chunk in corpus.chunks():
            rows = _rows(chunk)
            with clock.step("items"):
                if table is None:
                    table = self._database.create_table(TABLE, rows)
                else:
                    table.add(rows)
        with clock.step("vectors"):
            table.create_index("vector", config=IvfPq(distance_type="cosine"))
        with clock.step("words"):
            table.create_index("text", config=FTS())
        with clock.step("tags"):
            table.create_index("tags", config=LabelList())
        with clock.step("optimize"):
            table.optimize(cleanup_older_than=timedelta(0))  # else the size would be that of all versions
        return clock.rounded()

    def asker(self, parameters: Mapping[str, Any], mode: str, tag: str | None) -> Answer:
        """Return what asks for the best items, with their texts."""
        table = self._database.open_table(TABLE)

        def answer(text: str, vector: Sequence[float]) -> list[int]:
            if mode == "hybrid":
                query = table.search(query_type="hybrid", vector_column_name="vector", fts_columns="text")
                query = query.vector(vector).text(text)
            else:
                query = table.search(vector, vector_column_name="vector")
            for name, value in parameters.items():
                query = getattr(query, name)(value)
            if tag is not None:
                query = query.where(f"array_has_any(tags, ['{tag}'])")
            return query.select(["id", "text"]).limit(DEPTH).to_arrow()["id"].to_pylist()

        return answer

    def size(self) -> int:
        """Return the bytes of its folder."""
        return folder.size(self._folder)


def _rows(chunk: Chunk) -> pa.Table:
    count, dimension = chunk.vectors.shape
    return pa.table(
        {
            "id": pa.array(range(chunk.first, chunk.first + count), pa.int64()),
            "text": pa.array(chunk.texts, pa.string()),
            "tags": pa.array([chunk.tags_of(place) for place in range(count)], pa.list_(pa.string())),
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(chunk.vectors.ravel()), dimension),
        }
    )


if __name__ == "__main__":
    serve(LanceStore)
