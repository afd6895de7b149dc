"""The statistics, against scipy's and against their definitions."""

import numpy as np
import pytest
from scipy import stats

from mlplatform.monitoring import statistics
from mlplatform.monitoring.profile import describe_column

generator = np.random.default_rng


class TestKolmogorovSmirnov:
    @pytest.mark.parametrize("seed", range(5))
    def test_is_that_of_two_samples(self, seed: int) -> None:
        reference, window = generator(seed).normal(size=4000), generator(seed + 100).normal(0.1, 1, size=300)
        profile = describe_column(reference)
        assert profile is not None
        ours = statistics.kolmogorov_smirnov(profile.quantiles, 4000, window)
        theirs = stats.ks_2samp(reference, window, method="asymp")
        assert ours.statistic == pytest.approx(theirs.statistic, abs=0.004)
        assert ours.p == pytest.approx(theirs.pvalue, abs=0.08)

    def test_of_a_jump_is_exact(self) -> None:
        reference = np.concatenate([np.zeros(600), np.linspace(1, 2, 400)])
        window = np.concatenate([np.zeros(400), np.linspace(1, 2, 600)])
        profile = describe_column(reference)
        assert profile is not None
        found = statistics.kolmogorov_smirnov(profile.quantiles, 1000, window)
        assert found.statistic == pytest.approx(0.2, abs=0.003)

    def test_beyond_the_reference_is_one(self) -> None:
        assert statistics.kolmogorov_smirnov([0.0, 1.0, 2.0], 100, np.array([5.0, 6.0])).statistic == 1.0
        assert statistics.kolmogorov_smirnov([0.0, 1.0, 2.0], 100, np.array([-5.0])).statistic == 1.0


class TestPopulationStability:
    def test_is_the_sum_over_the_bins(self) -> None:
        p, q = np.array([0.5, 0.3, 0.2]), np.array([0.4, 0.3, 0.3])
        found = statistics.population_stability(list((p * 1e6).astype(int)), list((q * 1e6).astype(int)))
        assert found.statistic == pytest.approx(((p - q) * np.log(p / q)).sum(), rel=1e-4)

    def test_is_nothing_for_equal_shares(self) -> None:
        found = statistics.population_stability([100, 200, 300], [10, 20, 30])
        assert found.statistic == pytest.approx(0, abs=0.01)
        assert found.p > 0.9

    def test_of_an_empty_bin_is_finite(self) -> None:
        assert np.isfinite(statistics.population_stability([100, 0], [0, 100]).statistic)

    def test_of_one_bin_is_never_significant(self) -> None:
        assert statistics.population_stability([100], [50]).p == 1.0


class TestChiSquare:
    def test_is_scipys_where_no_bin_is_small(self) -> None:
        found = statistics.chi_square([500, 300, 200], [40, 40, 20])
        expected = stats.chi2_contingency([[500, 300, 200], [40, 40, 20]], correction=False)
        assert found.p == pytest.approx(expected.pvalue)


class TestAdjust:
    def test_is_benjamini_and_hochbergs(self) -> None:
        assert statistics.adjust([0.01, 0.02, 0.03, 0.5]) == pytest.approx([0.04, 0.04, 0.04, 0.5])
        assert statistics.adjust([]) == []


class TestMerge:
    def test_keeps_every_row_and_leaves_no_small_bin(self) -> None:
        left, right = np.array([500.0, 3, 2, 495]), np.array([50.0, 1, 0, 49])
        table = statistics.merge(left, right, 5.0)
        assert table.sum(axis=1).tolist() == [1000, 100]
        assert table.shape == (2, 2)
