"""Blocks of days in order of time."""

from itertools import pairwise

import pytest
from folds import split

from mlplatform.training.failures import BadData


class TestSplit:
    def test_blocks_follow_each_other_to_the_last_day(self):
        blocks = split(984, folds=5, longest=10)
        assert [block.fold for block in blocks] == [0, 1, 2, 3, 4, 5]
        assert all(before.stop == after.start for before, after in pairwise(blocks))
        assert (blocks[0].start, blocks[1].start, blocks[-1].stop) == (393, 491, 984)
        assert {block.stop - block.start for block in blocks} <= {98, 99}

    def test_blocks_must_outlast_the_horizon(self):
        split(300, folds=16, longest=9)
        with pytest.raises(BadData, match="do not reach 10 days ahead"):
            split(300, folds=16, longest=10)
