"""Examples divided so that each part has some of every class."""

import numpy as np
import pytest

from mlplatform.training.failures import BadData
from mlplatform.training.splitting import split

TARGETS = np.repeat([0, 1, 2], [100, 20, 4])
LABELS = ("a", "b", "c")


class TestSplit:
    def test_every_example_is_in_one_part(self):
        parts = split(TARGETS, LABELS, seed=1)
        assert sorted(np.concatenate(parts)) == list(range(len(TARGETS)))
        assert all(set(TARGETS[part]) == {0, 1, 2} for part in parts)

    def test_the_seed_decides(self):
        one, same, other = (split(TARGETS, LABELS, seed) for seed in (1, 1, 2))
        assert all(np.array_equal(*pair) for pair in zip(one, same, strict=True))
        assert not np.array_equal(one.test, other.test)

    @pytest.mark.parametrize(
        ("targets", "labels", "said"),
        [([0] * 9, ("a",), "only one class"), ([0] * 9 + [1] * 3, ("a", "b"), "class 'b' has 3 examples")],
    )
    def test_too_little(self, targets, labels, said):
        with pytest.raises(BadData, match=said):
            split(np.array(targets), labels, seed=1)
