"""What a cached ranking belongs to."""

from dataclasses import replace

import pytest

from services.search.query.cache import ranking_key
from services.search.query.query import Query
from services.search.query.state import Space, State

SPACE = Space(1, "embedder", "1", "a" * 64, 384, 1000)
STATE = State(SPACE, 7, pending=False)
QUERY = Query("red apple", depth=32)


def key(query: Query = QUERY, state: State = STATE, weight: float = 0.6) -> str:
    return ranking_key(query, state, weight, 300)


class TestKey:
    def test_is_the_same_for_the_same(self) -> None:
        assert key() == key(replace(QUERY), replace(STATE))

    @pytest.mark.parametrize(
        "other",
        [
            key(state=replace(STATE, space=replace(SPACE, id=2))),
            key(state=replace(STATE, space=replace(SPACE, digest="b" * 64))),
            key(state=replace(STATE, space=None)),
            key(state=replace(STATE, generation=8)),
            key(replace(QUERY, text="green apple")),
            key(replace(QUERY, depth=64)),
            key(weight=0.5),
        ],
        ids=["space", "weights of the model", "no space", "generation", "text", "depth", "weight"],
    )
    def test_is_another_for_another(self, other: str) -> None:
        assert other != key()
