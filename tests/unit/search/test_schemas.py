import pytest
from pydantic import ValidationError

from services.search.filters import Comparison
from services.search.schemas import SearchRequest

REFUSED = [
    ({"price": {}}, "must have a condition"),
    ({"price": {"gt": True}}, "must be a number or a text"),
    ({"price": {"gt": None}}, "null"),
    ({"price": {"lt": [1]}}, "must be a number or a text"),
    ({"price": {"lte": {"a": 1}}}, "must be a number or a text"),
    ({"price": {"gt": 1, "lt": "z"}}, "all numbers or all texts"),
    ({"price": {"gt": float("inf")}}, "too large"),
    ({"price": {"gt": "a\x00"}}, "NUL"),
    ({"price": {"in": 5}}, "list"),
    ({"price": {"in": []}}, "at least 1"),
    ({"price": {"in": None}}, "null"),
    ({"price": {"in": [[1]]}}, ""),
    ({"price": {"exists": "yes"}}, "boolean"),
    ({"price": {"exists": 1}}, "boolean"),
    ({"price": {"exists": None}}, "null"),
    ({"price": {"eq": {"a": 1}}}, ""),
    ({"price": {"like": "x"}}, "not permitted"),
    ({"price": {"one_of": [1]}}, "not permitted"),
    ({"price": float("inf")}, "finite"),
    ({"price": [1] * 101}, "at most 100"),
    ({"\x00": 1}, "pattern"),
    ({str(number): 1 for number in range(33)}, "at most 32"),
]
"""Filters that are refused, and a word of the reason."""
ACCEPTED = [
    ({"a": 5}, [Comparison("a", "eq", 5)]),
    ({"a": None}, [Comparison("a", "eq", None)]),
    ({"a": ["x", 1, None]}, [Comparison("a", "in", ["x", 1, None])]),
    ({"a": {"eq": None}}, [Comparison("a", "eq", None)]),
    ({"a": {"ne": "x", "exists": True}}, [Comparison("a", "exists", True), Comparison("a", "ne", "x")]),
    ({"a": {"gte": 1, "lt": 2.5}}, [Comparison("a", "gte", 1), Comparison("a", "lt", 2.5)]),
    ({"a": {"gt": "2026-01-01"}}, [Comparison("a", "gt", "2026-01-01")]),
    ({"a": {"in": [True, 0]}}, [Comparison("a", "in", [True, 0])]),
]


class TestFilters:
    @pytest.mark.parametrize(("filters", "reason"), REFUSED)
    def test_what_cannot_fit_is_refused_with_the_reason(self, filters, reason):
        with pytest.raises(ValidationError) as refused:
            SearchRequest(query="a", filters=filters)

        found = refused.value.errors()
        assert {error["loc"][0] for error in found} == {"filters"}
        assert any(reason in error["msg"] for error in found)

    @pytest.mark.parametrize(("filters", "expected"), ACCEPTED)
    def test_what_fits_becomes_comparisons_of_the_same_types(self, filters, expected):
        comparisons = list(SearchRequest(query="a", filters=filters).wanted().filters.metadata)

        assert comparisons == expected
        for found, wanted in zip(comparisons, expected, strict=True):
            assert type(found.value) is type(wanted.value)


class TestRequest:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"cursor": "x", "offset": 1},
            {"offset": 9_995},
            {"weight": 1.1},
            {"weight": True},
            {"weight": "0.5"},
            {"mode": "both"},
            {"fusion": "sum"},
            {"facets": ["text"]},
            {"facets": ["metadata."]},
            {"facets": ["tags"] * 9},
            {"updated": {"since": "2026-01-01T00:00:00"}},
            {"updated": {"since": "2026-01-02T00:00:00Z", "before": "2026-01-01T00:00:00Z"}},
            {"explain": 1},
        ],
    )
    def test_wrong_options_are_refused(self, wrong):
        with pytest.raises(ValidationError):
            SearchRequest(query="a", **wrong)

    def test_repeated_facets_count_once(self):
        assert SearchRequest(query="a", facets=["tags", "tags"]).wanted().facets == ("tags",)
