import pytest

from services.search.filters import Filters
from services.search.query.plan import REMEMBERED, CountMemory, Plan, exact_threshold


class TestStrategy:
    @pytest.mark.parametrize(
        ("matching", "threshold", "filtered", "expected"),
        [
            (0, 3000, True, "exact"),
            (3000, 3000, True, "exact"),
            (3001, 3000, True, "iterative"),
            (3001, 3000, False, "plain"),
            (200, 100, False, "exact"),  # fewer than the results asked for
        ],
    )
    def test_follows_the_number_of_matches(self, matching, threshold, filtered, expected):
        assert Plan(matching, threshold, pending=False, filtered=filtered).strategy(300) == expected

    def test_a_small_share_of_a_large_index_is_compared(self):
        assert exact_threshold(3000, 100_000) == 5000
        assert exact_threshold(3000, 1_000_000) == 50_000

    def test_comparing_has_a_bound(self):
        assert exact_threshold(3000, 100_000_000) == 50_000

    def test_a_small_index_has_the_set_threshold(self):
        assert exact_threshold(3000, 0) == exact_threshold(3000, 10_000) == 3000


class TestCountMemory:
    def test_tells_tenants_and_filters_apart(self):
        memory = CountMemory()
        memory.keep("acme", Filters(tags=["a"]), 3, generation=7)

        assert memory.find("acme", Filters(tags=["a"]), 7) == 3
        assert memory.find("zeta", Filters(tags=["a"]), 7) is None
        assert memory.find("acme", Filters(tags=["b"]), 7) is None

    def test_a_small_count_holds_until_the_index_changes(self):
        memory = CountMemory()
        memory.keep("acme", Filters(), 0, generation=7)

        assert memory.find("acme", Filters(), 7) == 0
        assert memory.find("acme", Filters(), 8) is None

    def test_a_large_count_holds_whatever_is_written(self):
        memory = CountMemory()
        memory.keep("acme", Filters(), 3001, generation=None)

        assert memory.find("acme", Filters(), 8) == 3001

    def test_forgets_the_oldest(self):
        memory = CountMemory()
        for number in range(REMEMBERED + 1):
            memory.keep(str(number), Filters(), number, generation=None)

        assert memory.find("0", Filters(), 0) is None
        assert memory.find(str(REMEMBERED), Filters(), 0) == REMEMBERED
