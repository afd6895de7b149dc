import numpy as np
import pytest

from mlplatform.events import running
from services.embedding.batcher import Batcher
from services.embedding.indexing.encoding import encode
from tests.unit.embedding.encoders import DIMENSION, POISON, WordEncoder


@pytest.fixture
async def batcher():
    batcher = Batcher(WordEncoder(), max_queued_texts=1000)
    async with running(batcher, "encoder"):
        yield batcher


class TestEncode:
    async def test_good_texts_are_encoded_together(self, batcher):
        outcome = await encode(batcher, ["red", "green"])

        assert (outcome.vectors.shape, outcome.reasons) == ((2, DIMENSION), {})
        assert batcher._encoder.forwarded == [2]

    @pytest.mark.parametrize("bad", [{0}, {9}, {3, 4}, set(range(10))])
    async def test_texts_that_the_model_cannot_take_fail_alone(self, batcher, bad):
        texts = [f"{POISON} {at}" if at in bad else f"word{at}" for at in range(10)]

        outcome = await encode(batcher, texts)

        assert set(outcome.reasons) == bad
        for at in set(range(10)) - bad:
            assert np.allclose(outcome.vectors[at], WordEncoder().encode([texts[at]])[0])

    async def test_one_bad_text_costs_few_calls(self, batcher):
        await encode(batcher, [POISON, *(f"word{at}" for at in range(63))])

        assert len(batcher._encoder.forwarded) < 32

    async def test_texts_that_were_cut_are_told_although_others_fail(self, batcher):
        long = "word " * (WordEncoder.max_tokens + 1)

        outcome = await encode(batcher, ["short", long, POISON, "short", long])

        assert (set(outcome.reasons), outcome.truncated) == ({2}, {1, 4})

    async def test_a_vector_that_is_no_vector_fails_alone(self, batcher):
        outcome = await encode(batcher, ["infinite", "good"])

        assert set(outcome.reasons) == {0}
