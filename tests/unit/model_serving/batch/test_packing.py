"""Items of like sizes are put together, within a budget."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.model_serving.batch.scoring.packing import pack


class TestPack:
    @pytest.mark.parametrize(
        ("sizes", "budget", "most", "expected"),
        [
            ([], 10, 4, []),
            ([5, 1, 5, 1], 10, 4, [[1, 3], [0, 2]]),
            ([1, 1, 1, 1, 1], 100, 2, [[0, 1], [2, 3], [4]]),
            ([50, 1], 10, 4, [[1], [0]]),
            ([0, 0, 0], 2, 4, [[0, 1], [2]]),
        ],
        ids=[
            "nothing",
            "likes together",
            "no more than a batch may have",
            "one too large goes alone",
            "empty ones count",
        ],
    )
    def test_batches(self, sizes, budget, most, expected) -> None:
        assert pack(sizes, budget, most) == expected

    @given(sizes=st.lists(st.integers(0, 50)), budget=st.integers(1, 200), most=st.integers(1, 8))
    def test_each_item_is_in_one_batch_and_no_batch_is_too_large(self, sizes, budget, most) -> None:
        batches = pack(sizes, budget, most)
        assert sorted(place for batch in batches for place in batch) == list(range(len(sizes)))
        for batch in batches:
            largest = max(1, *(sizes[place] for place in batch))
            assert len(batch) == 1 or (len(batch) <= most and largest * len(batch) <= budget)
