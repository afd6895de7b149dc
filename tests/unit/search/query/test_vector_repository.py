"""How much of an index a walk keeps in sight."""

import pytest

from services.search.query.vector_repository import walk_settings


def breadth(vectors: int, limit: int = 64) -> int:
    """Return how many vectors a walk keeps in sight."""
    return int(walk_settings(limit, vectors, 20_000)["hnsw.ef_search"])


class TestBreadth:
    @pytest.mark.parametrize(("vectors", "kept"), [(0, 100), (10_000, 100), (100_000, 130), (1_000_000, 652)])
    def test_grows_with_the_index(self, vectors, kept):
        assert breadth(vectors) == kept

    @pytest.mark.parametrize(("vectors", "kept"), [(0, 100), (100_000, 100), (1_000_000, 502)])
    def test_is_less_where_words_rank_too(self, vectors, kept):
        assert int(walk_settings(64, vectors, 20_000, narrow=True)["hnsw.ef_search"]) == kept

    @pytest.mark.parametrize(("vectors", "kept"), [(10_000, 100), (100_000, 130), (300_000, 349), (1_000_000, 1000)])
    def test_grows_faster_where_there_are_filters(self, vectors, kept):
        assert int(walk_settings(64, vectors, 20_000, filtered=True)["hnsw.ef_search"]) == kept

    def test_is_never_more_than_postgres_takes(self):
        assert breadth(10**9) == breadth(10, limit=5000) == 1000

    def test_is_never_less_than_what_is_asked_for(self):
        assert breadth(10_000, limit=300) == 300
