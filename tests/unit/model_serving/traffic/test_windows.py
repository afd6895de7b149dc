"""Counts of the recent past."""

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlplatform.errors import DeadlineExceeded, Overloaded, PlatformError
from services.model_serving.errors import InvalidInputs, ModelFailedError
from services.model_serving.traffic.histogram import LATENCY
from services.model_serving.traffic.tally import Outcome, outcome_of
from services.model_serving.traffic.windows import SLOT_SECONDS, Windows, first_slot, together

KEY = ("model", "canary", 3, "2")


class TestWindows:
    def test_count_what_lies_within_and_forget_the_rest(self) -> None:
        windows = Windows()
        for second in range(0, 2000, 10):
            windows.count(KEY, Outcome.OK, 0.01, now=float(second))
        assert windows.over("model", "canary", 3, first_slot(1990.0, 60)).requests == 7
        assert windows.over("model", "canary", 3, 0).requests < 200
        assert windows.over("model", "canary", 2, 0).requests == 0
        assert windows.over("model", "primary", 3, 0).requests == 0

    def test_are_sent_as_totals_and_sent_again_when_that_failed(self) -> None:
        windows, replica = Windows(), uuid4()
        windows.count(KEY, Outcome.OK, 0.01, now=0.0)
        (row,) = windows.unsent(replica)
        assert windows.unsent(replica) == []
        windows.unsend([row])
        windows.count(KEY, Outcome.ERROR, 0.0, now=SLOT_SECONDS - 1.0)
        (row,) = windows.unsent(replica)
        assert (row["requests"], row["errors"], row["slot"]) == (2, 1, 0)
        assert together(iter([row, row])).requests == 4


class TestOutcome:
    @pytest.mark.parametrize(
        ("error", "outcome"),
        [
            (None, "ok"),
            (ModelFailedError("broke"), "error"),
            (DeadlineExceeded("late"), "error"),
            (InvalidInputs([]), "refused"),
            (Overloaded("full"), "shed"),
        ],
    )
    def test_counts_against_a_version_only_what_is_its_fault(self, error: PlatformError | None, outcome: str) -> None:
        assert outcome_of(error) == outcome


class TestScale:
    @given(st.floats(1e-7, 100))
    def test_puts_a_value_between_the_edges_of_its_bucket(self, value: float) -> None:
        index = LATENCY.index(value)
        if index < LATENCY.size - 1:
            assert value <= LATENCY.edge(index) * (1 + 1e-8)
        if index:
            assert value > LATENCY.edge(index - 1) * (1 - 1e-8)

    def test_finds_quantiles_within_the_width_of_a_bucket(self) -> None:
        counts = LATENCY.empty()
        for millisecond in range(1, 1001):
            counts[LATENCY.index(millisecond / 1000)] += 1
        assert LATENCY.quantile(counts, 0.99) == pytest.approx(0.99, rel=0.15)
        assert LATENCY.quantile(LATENCY.empty(), 0.5) is None
