"""What is near enough to fp32."""

import numpy as np
import pytest

from services.embedding.encoding.likeness import objection, similarities

TEXTS = 57
REFERENCE = np.tile(np.float32([1, 0]), (TEXTS, 1))


def vectors_with(*cosines: float) -> np.ndarray:
    """Return vectors that are those of fp32, but for the first ones."""
    vectors = REFERENCE.copy()
    for place, cosine in enumerate(cosines):
        vectors[place] = [cosine, np.sqrt(1 - cosine**2)]
    return vectors


def found(vectors: np.ndarray) -> str | None:
    return objection(vectors, similarities(vectors, REFERENCE))


class TestObjection:
    def test_int8_as_it_was_measured_may_serve(self):
        assert found(vectors_with(0.907, 0.95, 0.96)) is None

    def test_the_mean_of_all_counts(self):
        assert found(vectors_with(*[0.99] * TEXTS)) == "its similarity to fp32 is 0.9900, below 0.995"

    def test_so_does_the_text_that_comes_off_worst(self):
        assert found(vectors_with(0.89)) == "its similarity to fp32 is 0.8900 for one text, below 0.9"

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_what_is_no_number_is_counted(self, value):
        vectors = vectors_with()
        vectors[3, 1] = vectors[5, 0] = value

        with np.errstate(invalid="ignore"):
            assert found(vectors) == f"the values of 2 of {TEXTS} vectors are no numbers"
