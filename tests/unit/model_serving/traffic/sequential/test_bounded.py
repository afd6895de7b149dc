"""The test for outcomes in [0, 1]: how often it errs when looked at all the time, and how soon it decides."""

from math import exp, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.model_serving.traffic.sequential.bounded import (
    Counts,
    interval,
    log_evidence,
    log_evidence_of_share,
)

ALPHA = 0.05
counts = st.builds(Counts, st.integers(0, 400), st.integers(0, 400))


def streams(seed: int, count: int, length: int, mean: float) -> np.ndarray:
    """Return, per stream and step, how many succeeded so far."""
    return np.cumsum(np.random.default_rng(seed).random((count, length)) < mean, axis=1)


def share_that_ever_rejects(control: np.ndarray, treatment: np.ndarray) -> float:
    """Look after every single pair of outcomes."""
    limit = -log(ALPHA)
    rejected = 0
    for ours, theirs in zip(control, treatment, strict=True):
        pairs = enumerate(zip(ours, theirs, strict=True), start=1)
        rejected += any(
            log_evidence(Counts(int(a), n - int(a)), Counts(int(b), n - int(b))) >= limit for n, (a, b) in pairs
        )
    return rejected / len(control)


class TestFalseAlarms:
    @pytest.mark.parametrize("rate", [0.02, 0.5])
    def test_are_no_more_than_alpha_under_a_look_at_every_outcome(self, rate: float) -> None:
        control, treatment = streams(1, 300, 600, rate), streams(2, 300, 600, rate)
        assert share_that_ever_rejects(control, treatment) <= ALPHA

    def test_of_a_test_for_one_look_are_many_times_more(self) -> None:
        """The same streams, and why a test for a fixed sample cannot be used here."""
        control, treatment = streams(1, 300, 600, 0.5), streams(2, 300, 600, 0.5)
        sizes = np.arange(1, 601)
        pooled = (control + treatment) / (2 * sizes)
        spread = np.sqrt(np.maximum(pooled * (1 - pooled) * 2 / sizes, 1e-12))
        looks = np.abs(treatment - control) / sizes / spread > 1.96
        assert looks[:, 30:].any(axis=1).mean() > 4 * ALPHA

    def test_interval_covers_the_true_difference_of_numbers_between_at_every_look(self) -> None:
        rng = np.random.default_rng(3)
        missed = 0
        for _ in range(60):
            ours, theirs = rng.beta(2, 5, 400).cumsum(), rng.beta(5, 5, 400).cumsum()
            truth = 5 / 10 - 2 / 7
            missed += any(
                log_evidence(Counts(ours[n - 1], n - ours[n - 1]), Counts(theirs[n - 1], n - theirs[n - 1]), truth)
                >= -log(ALPHA)
                for n in range(1, 401)
            )
        assert missed / 60 <= ALPHA


class TestPower:
    def test_finds_ten_against_fifteen_percent_within_four_thousand_outcomes_of_each(self) -> None:
        control, treatment = streams(4, 60, 4000, 0.10)[:, 99::100], streams(5, 60, 4000, 0.15)[:, 99::100]
        found = 0
        for ours, theirs in zip(control, treatment, strict=True):
            found += any(
                log_evidence(Counts(int(a), n - int(a)), Counts(int(b), n - int(b))) >= -log(ALPHA)
                for n, a, b in zip(range(100, 4001, 100), ours, theirs, strict=True)
            )
        assert found / 60 >= 0.9

    def test_a_version_that_fails_every_request_is_found_in_a_few(self) -> None:
        assert log_evidence(Counts(0, 200), Counts(6, 0), 0.01) > log(1000)


class TestInterval:
    @given(counts, counts)
    def test_holds_the_estimate_and_stays_within_the_possible(self, control: Counts, treatment: Counts) -> None:
        low, high = interval(control, treatment, ALPHA)
        assert -1 <= low <= treatment.mean - control.mean <= high <= 1

    @given(counts, counts)
    def test_excludes_no_difference_exactly_when_the_evidence_against_it_is_enough(
        self, control: Counts, treatment: Counts
    ) -> None:
        low, high = interval(control, treatment, ALPHA)
        evidence = log_evidence(control, treatment)
        if abs(evidence + log(ALPHA)) > 1e-6:
            assert (evidence >= -log(ALPHA)) == (low > 0 or high < 0)

    def test_narrows_as_outcomes_come_in(self) -> None:
        widths = [
            high - low
            for low, high in (interval(Counts(n // 2, n // 2), Counts(n // 2, n // 2), ALPHA) for n in (20, 200, 2000))
        ]
        assert widths == sorted(widths, reverse=True)

    def test_says_nothing_without_outcomes(self) -> None:
        assert interval(Counts(0, 0), Counts(0, 0), ALPHA) == (-1.0, 1.0)


class TestShare:
    def test_agrees_with_the_closed_form_of_one_outcome(self) -> None:
        assert exp(log_evidence_of_share(Counts(1, 0), 0.01)) == pytest.approx(0.5 / 0.01)
