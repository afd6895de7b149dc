"""Chroma as its documentation sets it up: a collection in a folder, with cosine distance; tags are flags."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import chromadb
from chromadb.config import Settings

from benchmarks.search.corpus import Corpus
from benchmarks.search.stores import folder
from benchmarks.search.stores.clock import Clock
from benchmarks.search.stores.serve import Answer, serve

COLLECTION = "items"
DEPTH = 10


class ChromaStore:
    """A collection in a folder. It has no ranking by words.

    Args:
        place: `folder`.
    """

    def __init__(self, place: Mapping[str, Any]) -> None:
        self._folder = Path(place["folder"])
        self._client = chromadb.PersistentClient(str(self._folder), settings=Settings(anonymized_telemetry=False))
        self._collection = self._client.get_or_create_collection(
            COLLECTION, configuration={"hnsw": {"space": "cosine"}}, embedding_function=None
        )

    def load(self, corpus: Corpus) -> dict[str, float]:
        """Add the items in the largest batches that it takes; it indexes them as they come."""
        clock = Clock()
        batch = self._client.get_max_batch_size()
        for chunk in corpus.chunks():
            count = len(chunk.texts)
            flags = [dict.fromkeys(chunk.tags_of(place), True) for place in range(count)]
            names = [str(chunk.first + place) for place in range(count)]
            for start in range(0, count, batch):
                part = slice(start, start + batch)
                with clock.step("items"):
                    self._collection.add(
                        ids=names[part],
                        embeddings=chunk.vectors[part],
                        documents=list(chunk.texts[part]),
                        metadatas=flags[part],
                    )
        return clock.rounded()

    def asker(self, parameters: Mapping[str, Any], mode: str, tag: str | None) -> Answer:
        """Return what asks for the nearest items, with their texts."""
        if mode != "vector" or parameters:
            raise ValueError(f"there is no mode {mode} with {parameters}")
        where = None if tag is None else {tag: True}

        def answer(_: str, vector: Sequence[float]) -> list[int]:
            found = self._collection.query(
                query_embeddings=[vector], n_results=DEPTH, where=where, include=["documents", "distances"]
            )
            return [int(name) for name in found["ids"][0]]

        return answer

    def size(self) -> int:
        """Return the bytes of its folder."""
        return folder.size(self._folder)


if __name__ == "__main__":
    serve(ChromaStore)
