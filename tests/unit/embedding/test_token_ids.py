from collections.abc import Callable
from pathlib import Path

import pytest
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer

from services.embedding.encoding.encoder import Encoder
from services.embedding.token_ids import IdReader
from tests.unit.embedding import models
from tests.unit.embedding.encoders import FramedEncoder, WordEncoder

KINDS: dict[str, Callable[[Path], SentenceTransformer]] = {
    "cut at the end": models.pooled,
    "cut at the start": lambda folder: models.pooled(folder, truncation_side="left"),
    "decoder": models.decoder,
    "static": lambda _: models.static(),
}


class TestRead:
    def test_ids_get_the_features_that_a_text_has(self):
        encoder = FramedEncoder()
        (text,) = encoder.tokenise(["a b"])

        assert IdReader(encoder).read(text.features["input_ids"]) == text
        assert IdReader(encoder).read(text.features["input_ids"][1:-1]) == text

    def test_an_id_that_looks_like_half_a_frame_is_content(self):
        tokens = IdReader(FramedEncoder()).read([101, 7])

        assert tokens.features["input_ids"] == [101, 101, 7, 102]

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("words", [3, 600])
    @pytest.mark.parametrize("framed", [True, False])
    def test_ids_of_any_model_s_tokenizer_are_its_text(self, kind, words, framed, tmp_path):
        folder = models.save(KINDS[kind](tmp_path / "raw"), tmp_path / "model")
        encoder = Encoder.load(folder, token_budget=99, threads=1)
        text = " ".join(f"word {number}" for number in range(words))
        own = SentenceTransformer(str(folder), device="cpu").tokenizer
        tokenizer = own if isinstance(own, Tokenizer) else own.backend_tokenizer
        tokenizer.no_truncation()
        tokenizer.no_padding()

        tokens = IdReader(encoder).read(tokenizer.encode(text, add_special_tokens=framed and kind != "static").ids)

        assert tokens == encoder.tokenise([text])[0]

    def test_a_model_without_a_frame_gets_the_ids_alone(self):
        assert IdReader(WordEncoder()).read([7, 8]).features == {"input_ids": [7, 8]}
