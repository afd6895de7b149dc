"""Backends told apart by turns, on a host whose speed changes; what they compute takes the time that is said."""

from collections.abc import Callable

import numpy as np
import pytest

from services.embedding.encoding import measuring
from services.embedding.encoding.backend import Features, Vectors
from services.embedding.encoding.comparison import LEAST_ROUNDS, MOST_ROUNDS, Contender, compare
from services.embedding.encoding.names import BackendName
from services.embedding.encoding.packing import pack
from services.embedding.encoding.shapes import ANY
from services.embedding.encoding.tokens import Tokeniser
from services.embedding.encoding.torch_backend import load_model
from tests.unit.embedding import models

TEXTS = ["a cat on a mat", "shares fell", "one two three four five six seven"]


class Clock:
    """Time that only passes while a backend computes."""

    def __init__(self) -> None:
        self.now = 0.0

    def read(self) -> float:
        return self.now


class Timed:
    """A backend that takes some seconds for a batch, times how slow the host is at the moment."""

    shapes = ANY

    def __init__(self, name: BackendName, seconds: float, clock: Clock, slowness: Callable[[float], float]) -> None:
        self.name = name
        self._seconds, self._clock, self._slowness = seconds, clock, slowness
        self.batches = 0

    def forward(self, features: Features) -> Vectors:
        self._clock.now += self._seconds * self._slowness(self._clock.now)
        self.batches += 1
        return np.ones((len(features["input_ids"]), 4), np.float32)


@pytest.fixture(scope="module")
def tokeniser() -> Tokeniser:
    return Tokeniser.of(load_model(models.MINILM))


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    for name in ("perf_counter", "process_time"):
        monkeypatch.setattr(f"time.{name}", clock.read)
    return clock


def compared(tokeniser: Tokeniser, *backends: Timed) -> dict[BackendName, measuring.Speed]:
    contenders = {backend.name: Contender(backend, 1000) for backend in backends}
    return compare(contenders, tokeniser, tokeniser(TEXTS), threads=1)


class TestCompare:
    @pytest.mark.parametrize("phase", [0.0, 0.7, 1.5, 2.9])
    def test_the_faster_wins_whatever_moment_it_is_measured_in(self, tokeniser, clock, phase):
        def slowness(now: float) -> float:
            return 3.0 if (now + phase) % 2 > 1 else 1.0

        fast = Timed("openvino-int8", 0.0010, clock, slowness)
        slow = Timed("openvino-bf16", 0.0014, clock, slowness)

        found = compared(tokeniser, slow, fast)

        ratio = found["openvino-int8"].texts_per_second / found["openvino-bf16"].texts_per_second
        assert ratio == pytest.approx(1.4, rel=0.02)

    def test_a_host_that_gets_slower_all_the_time_changes_no_ratio(self, tokeniser, clock):
        fast = Timed("openvino-int8", 0.0010, clock, lambda now: 1 + now)
        slow = Timed("openvino-bf16", 0.0014, clock, lambda now: 1 + now)

        found = compared(tokeniser, fast, slow)

        ratio = found["openvino-int8"].texts_per_second / found["openvino-bf16"].texts_per_second
        assert ratio == pytest.approx(1.4, rel=0.05)

    def test_a_round_in_which_one_is_held_up_does_not_decide(self, tokeniser, clock):
        held_up = iter([1.0] * 150 + [50.0] * 80)
        fast = Timed("openvino-int8", 0.0010, clock, lambda _: next(held_up, 1.0))
        slow = Timed("openvino-bf16", 0.0014, clock, lambda _: 1.0)

        found = compared(tokeniser, fast, slow)

        assert found["openvino-int8"].texts_per_second > found["openvino-bf16"].texts_per_second

    def test_units_are_texts_a_second_and_milliseconds(self, tokeniser, clock):
        only = Timed("openvino-int8", 0.0010, clock, lambda _: 1.0)

        found = compared(tokeniser, only)["openvino-int8"]

        assert found.query_milliseconds == pytest.approx(1.0)
        assert found.texts_per_second == pytest.approx(len(TEXTS) / (0.001 * batches_of(tokeniser)))

    def test_slow_models_have_few_rounds_and_fast_ones_not_without_end(self, tokeniser, clock):
        quick = Timed("openvino-int8", 1e-6, clock, lambda _: 1.0)
        tardy = Timed("torch-fp32", 5.0, clock, lambda _: 1.0)
        endless = Timed("torch-bf16", 50.0, clock, lambda _: 1.0)

        compared(tokeniser, quick)
        compared(tokeniser, tardy)
        compared(tokeniser, endless)

        queries = 1 + measuring.QUERIES
        assert quick.batches == batches_of(tokeniser) + MOST_ROUNDS * (queries + batches_of(tokeniser))
        assert tardy.batches == batches_of(tokeniser) + LEAST_ROUNDS * (2 + batches_of(tokeniser))
        assert endless.batches == batches_of(tokeniser) + 2 + batches_of(tokeniser)


def batches_of(tokeniser: Tokeniser) -> int:
    return len(pack([len(text) for text in tokeniser(TEXTS)], 1000))
