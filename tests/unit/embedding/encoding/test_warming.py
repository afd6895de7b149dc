import itertools

import numpy as np
import pytest

from services.embedding.encoding.backend import Features, Vectors
from services.embedding.encoding.shapes import ANY, Shapes
from services.embedding.encoding.tokens import Tokeniser
from services.embedding.encoding.torch_backend import load_model
from services.embedding.encoding.warming import ALONE, warm_up
from tests.unit.embedding import models

BUDGET = 256


class Noting:
    """A backend that notes the shapes it is given."""

    name = "openvino-int8"

    def __init__(self, shapes: Shapes) -> None:
        self.shapes = shapes
        self.given: list[tuple[int, int]] = []

    def forward(self, features: Features) -> Vectors:
        self.given.append(features["input_ids"].shape)
        return np.zeros((self.given[-1][0], 4), np.float32)


@pytest.fixture(scope="module")
def tokeniser() -> Tokeniser:
    return Tokeniser.of(load_model(models.MINILM))


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have all the time that a slow machine needs."""
    monkeypatch.setattr("services.embedding.encoding.warming.SECONDS", 600.0)


@pytest.fixture
def few() -> Noting:
    return Noting(Shapes(step=8, few=True))


class TestWarmUp:
    def test_every_shape_is_computed_once_the_smallest_first(self, few, tokeniser):
        done = warm_up(few, tokeniser, BUDGET, go_on=lambda: True)

        assert sorted(few.given) == sorted(few.shapes.within(BUDGET, tokeniser.max_tokens))
        assert done == len(few.given)
        products = [texts * tokens for texts, tokens in few.given]
        assert products == sorted(products)

    def test_where_nothing_is_compiled_a_few_lengths_are_enough(self, tokeniser):
        backend = Noting(ANY)

        assert warm_up(backend, tokeniser, BUDGET, go_on=lambda: True) == len(ALONE)
        assert backend.given == [(1, tokens) for tokens in ALONE]

    def test_it_ends_when_it_is_told(self, few, tokeniser):
        answers = itertools.chain([True] * 3, itertools.repeat(False))

        assert warm_up(few, tokeniser, BUDGET, go_on=lambda: next(answers)) == 3
        assert len(few.given) == 3

    def test_it_ends_when_its_time_is_over(self, few, tokeniser, monkeypatch):
        monkeypatch.setattr("services.embedding.encoding.warming.SECONDS", 2.0)
        clock = itertools.count(0.0, 0.5)  # seconds; each batch takes half of one
        monkeypatch.setattr("time.perf_counter", lambda: next(clock))

        assert warm_up(few, tokeniser, BUDGET, go_on=lambda: True) == 4

    def test_a_model_of_short_texts_is_given_no_longer_ones(self, few, tmp_path):
        tokeniser = Tokeniser.of(models.pooled(tmp_path / "bert"))

        warm_up(few, tokeniser, BUDGET, go_on=lambda: True)

        assert max(tokens for _, tokens in few.given) == models.MAX_TOKENS
