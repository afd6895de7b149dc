import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer

from services.embedding.encoding.shapes import Shapes
from services.embedding.encoding.tokens import Tokeniser
from tests.unit.embedding import models
from tests.unit.embedding.models import MINILM, TEXTS

WHOLE = SentenceTransformer(str(MINILM), device="cpu")
TOKENISER = Tokeniser.of(SentenceTransformer(str(MINILM), device="cpu"))


class TestCall:
    @given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=60), min_size=1, max_size=5))
    def test_any_text_has_the_tokens_that_sentence_transformers_gives_it(self, texts):
        expected = WHOLE.preprocess(texts)

        padded = TOKENISER.pad(TOKENISER(texts))

        assert set(padded) == {"input_ids", "attention_mask", "token_type_ids"}
        for name, values in padded.items():
            assert np.array_equal(values, expected[name].numpy())

    def test_texts_that_were_cut_are_told(self):
        assert [tokens.truncated for tokens in TOKENISER(TEXTS)] == [False, True, *[False] * 5]

    def test_no_texts_have_no_tokens(self):
        assert TOKENISER([]) == []


class TestPad:
    @pytest.mark.parametrize(("words", "width"), [(1, 16), (14, 16), (15, 32), (250, 256), (600, 256)])
    def test_lengths_are_rounded_up_to_the_step(self, words, width):
        tokens = TOKENISER(["word " * words])

        padded = TOKENISER.pad(tokens, Shapes(16))

        assert padded["input_ids"].shape == (1, width)
        assert padded["attention_mask"].sum() == len(tokens[0])
        assert TOKENISER.width(tokens, Shapes(16)) == width

    def test_but_never_beyond_what_the_model_reads(self, tmp_path):
        model = models.pooled(tmp_path / "bert")
        model.max_seq_length = 50
        tokeniser = Tokeniser.of(model)

        assert tokeniser.pad(tokeniser(["word " * 600]), Shapes(16))["input_ids"].shape == (1, 50)


class TestOf:
    def test_a_model_without_such_a_tokenizer_is_refused(self, tmp_path):
        model = models.pooled(tmp_path / "bert")
        model[0].processor = None

        with pytest.raises(ValueError, match="tokenizer"):
            Tokeniser.of(model)
