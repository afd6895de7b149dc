import pytest

from services.search.filters import Filters
from services.search.query.state import State


class TestWeight:
    STATE = State(None, 1, pending=False, weights={"doc": 0.3, "note": 0.8, "*": 0.5})

    @pytest.mark.parametrize(
        ("types", "expected"),
        [(["doc"], 0.3), (["doc", "doc"], 0.3), (["doc", "note"], 0.5), (["other"], 0.5), (None, 0.5)],
    )
    def test_is_that_of_the_only_kind_asked_for(self, types, expected):
        assert self.STATE.weight(Filters(types)) == expected

    def test_a_weight_of_zero_is_one(self):
        assert State(None, 1, pending=False, weights={"doc": 0.0, "*": 0.5}).weight(Filters(["doc"])) == 0.0

    def test_is_unknown_when_none_is_set(self):
        assert State(None, 1, pending=False).weight(Filters(["doc"])) is None
