"""Parts of a chunk have what is theirs."""

from datetime import UTC, datetime
from uuid import uuid4

import orjson

from services.model_serving.batch.work.chunk import Chunk, Claim
from services.model_serving.batch.work.parts import parts


def chunk(items, given=None, source=None) -> Chunk:
    return Chunk(Claim("a", uuid4(), 0, 1), items, given, 0, datetime.now(UTC), source)


class TestInput:
    def test_each_part_has_its_items(self) -> None:
        first, rest = parts(chunk(range(10, 15), orjson.dumps(["a", "b", "c", "d", "e"])), 2)
        assert (list(first.items), first.input, first.source) == ([10, 11], b'["a","b"]', None)
        assert (list(rest.items), rest.input, rest.source) == ([12, 13, 14], b'["c","d","e"]', None)


class TestSource:
    def test_one_that_lists_its_items_is_cut_to_those_of_the_part(self) -> None:
        source = {"type": "files", "first": 20, "items": [{"name": name} for name in "abcdefgh"]}
        held = chunk([21, 22, 25, 27], source=source)
        first, rest = parts(held, 2)
        assert first.source == {"type": "files", "first": 21, "items": [{"name": "b"}, {"name": "c"}]}
        assert rest.source == {"type": "files", "first": 25, "items": [{"name": name} for name in "fgh"]}
        for part in (first, rest):
            for item in part.items:
                listed = part.source["items"][item - part.source["first"]]
                assert listed == source["items"][item - source["first"]]
        assert source["first"] == 20

    def test_any_other_goes_with_both(self) -> None:
        source = {"type": "table", "first": 0, "start": 0, "stop": 100}
        assert [part.source for part in parts(chunk(range(8), source=source), 3)] == [source, source]
