from datetime import UTC, datetime

import pytest

from services.search.filters import Comparison, Filters, TimeRange
from services.search.query.query import Query, normalised

RED = Comparison("colour", "eq", "red")
CHEAP = Comparison("price", "lt", 5)


class TestNormalised:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("red apple", "red apple"),
            ("  red \n\t apple ", "red apple"),
            ("red\x01apple\x7f", "red apple"),
            ("cafe\u0301", "caf\u00e9"),
            ("\u3000red\u00a0apple", "red apple"),
            ('"red apple" pear', '"red apple" pear'),
            (" \x00\x1f\x85 ", ""),
            ("", ""),
        ],
    )
    def test_leaves_out_what_means_nothing(self, text, expected):
        assert normalised(text) == expected


class TestFingerprint:
    def test_is_the_same_for_filters_in_another_order(self):
        one = Query("a", filters=Filters(["x", "y"], ("s", "t"), (RED, CHEAP)))
        other = Query("a", filters=Filters(["y", "x"], ("t", "s"), (CHEAP, RED)))

        assert one.fingerprint() == other.fingerprint()

    def test_is_the_same_for_another_page_or_view(self):
        assert (
            Query("a").fingerprint() == Query("a", limit=50, position=10, highlight=True, content=False).fingerprint()
        )

    @pytest.mark.parametrize(
        "other",
        [
            Query("b"),
            Query("a", mode="vector"),
            Query("a", fusion="rrf"),
            Query("a", weight=0.6),
            Query("a", filters=Filters(["x"])),
            Query("a", filters=Filters(tags=["x"])),
            Query("a", filters=Filters(metadata=[RED])),
            Query("a", filters=Filters(updated=TimeRange(since=datetime(2026, 1, 1, tzinfo=UTC)))),
        ],
    )
    def test_differs_for_another_query(self, other):
        assert Query("a").fingerprint() != other.fingerprint()

    def test_tells_types_of_values_apart(self):
        keys = {Query("a", filters=Filters(metadata=[Comparison("k", "eq", v)])).fingerprint() for v in ("1", 1, True)}

        assert len(keys) == 3
