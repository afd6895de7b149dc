"""The test for means without bounds: how often it errs when looked at all the time, and how soon it decides."""

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.model_serving.traffic.sequential.means import FIRST_LOOK, Moments, interval, log_evidence, merge, p_value

ALPHA = 0.05
numbers = st.lists(st.floats(-1e6, 1e6), max_size=30)


def moments_of(values: np.ndarray) -> Moments:
    return Moments(len(values), float(values.mean()), float(((values - values.mean()) ** 2).sum()))


def share_that_ever_rejects(control: np.ndarray, treatment: np.ndarray) -> float:
    """Look after every single pair of outcomes from the first look on."""
    rejected = 0
    for ours, theirs in zip(control, treatment, strict=True):
        left, right = moments_of(ours[: FIRST_LOOK - 1]), moments_of(theirs[: FIRST_LOOK - 1])
        for a, b in zip(ours[FIRST_LOOK - 1 :], theirs[FIRST_LOOK - 1 :], strict=True):
            left, right = left.with_value(float(a)), right.with_value(float(b))
            if log_evidence(left, right) >= -log(ALPHA):
                rejected += 1
                break
    return rejected / len(control)


class TestFalseAlarms:
    @pytest.mark.parametrize("shape", ["normal", "exponential"])
    def test_are_about_alpha_at_most_under_a_look_at_every_outcome(self, shape: str) -> None:
        rng = np.random.default_rng(6)
        control, treatment = getattr(rng, shape)(size=(2, 300, 1000))
        # Three standard deviations of a share of 0.05 among 300 streams are 0.038.
        assert share_that_ever_rejects(control, treatment) <= ALPHA + 0.038


class TestPower:
    def test_finds_a_fifth_of_a_standard_deviation_within_two_thousand_outcomes_of_each(self) -> None:
        rng = np.random.default_rng(7)
        control, treatment = rng.normal(size=(40, 2000)), rng.normal(0.2, size=(40, 2000))
        assert share_that_ever_rejects(control, treatment) >= 0.9


class TestInterval:
    def test_is_the_set_of_differences_without_enough_evidence(self) -> None:
        rng = np.random.default_rng(8)
        control, treatment = moments_of(rng.normal(10, 3, 500)), moments_of(rng.normal(11, 3, 400))
        found = interval(control, treatment, ALPHA)
        assert found is not None
        for edge in found:
            assert log_evidence(control, treatment, edge) == pytest.approx(-log(ALPHA))

    def test_says_nothing_before_the_first_look_nor_of_what_never_varies(self) -> None:
        few, same = moments_of(np.arange(FIRST_LOOK - 1.0)), Moments(1000, 5.0, 0.0)
        assert interval(few, few, ALPHA) is None
        assert log_evidence(few, few) == 0
        assert interval(same, same, ALPHA) is None
        assert p_value(log_evidence(same, same)) == 1


class TestMoments:
    @given(numbers, numbers)
    def test_of_parts_add_up_to_those_of_the_whole(self, some: list[float], others: list[float]) -> None:
        parts = [Moments(), Moments()]
        for value in some:
            parts[0] = parts[0].with_value(value)
        for value in others:
            parts[1] = parts[1].with_value(value)
        whole = np.array(some + others)
        merged = merge(parts)
        assert merged.count == len(whole)
        if len(whole):
            assert merged.mean == pytest.approx(whole.mean(), rel=1e-9, abs=1e-6)
            assert merged.variance == pytest.approx(whole.var(ddof=1) if len(whole) > 1 else 0, rel=1e-9, abs=1e-3)
