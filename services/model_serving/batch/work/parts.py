"""A chunk cut in two."""

from typing import Any

import orjson

from services.model_serving.batch.jobs.repository import ChunkInput
from services.model_serving.batch.work.chunk import Chunk

ITEMS, FIRST = "items", "first"


def parts(chunk: Chunk, place: int) -> tuple[ChunkInput, ChunkInput]:
    """Return what is before and from a place on among the items of a chunk, each with what it works on.

    A source that lists its items is cut to those between the first and the last of the part. Any other goes with both.
    """
    content = None if chunk.input is None else orjson.loads(chunk.input)
    return _part(chunk, content, slice(None, place)), _part(chunk, content, slice(place, None))


def _part(chunk: Chunk, content: list[Any] | None, part: slice) -> ChunkInput:
    items = chunk.items[part]
    source = chunk.source
    if source is not None and ITEMS in source:
        first = source[FIRST]
        listed = source[ITEMS][items[0] - first : items[-1] - first + 1]
        source = source | {FIRST: items[0], ITEMS: listed}
    return ChunkInput(items, None if content is None else orjson.dumps(content[part]), source, chunk.kind)
