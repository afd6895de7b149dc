from services.embedding.token_ids import IdReader
from tests.unit.embedding.encoders import FramedEncoder, WordEncoder


class TestRead:
    def test_ids_get_the_features_that_a_text_has(self):
        encoder = FramedEncoder()
        (text,) = encoder.tokenise(["a b"])

        assert IdReader(encoder).read(text.features["input_ids"]) == text
        assert IdReader(encoder).read(text.features["input_ids"][1:-1]) == text

    def test_an_id_that_looks_like_half_a_frame_is_content(self):
        tokens = IdReader(FramedEncoder()).read([101, 7])

        assert tokens.features["input_ids"] == [101, 101, 7, 102]

    def test_a_model_without_a_frame_gets_the_ids_alone(self):
        assert IdReader(WordEncoder()).read([7, 8]).features == {"input_ids": [7, 8]}
