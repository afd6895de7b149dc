import pytest

from mlplatform.errors import Unprocessable
from services.embedding.limits import check_texts
from services.embedding.settings import EmbeddingSettings


@pytest.fixture
def settings() -> EmbeddingSettings:
    return EmbeddingSettings(embedding_texts_per_request=3, embedding_text_characters=10)


class TestCheckTexts:
    def test_texts_within_the_limits_pass(self, settings):
        check_texts(["a", "b" * 10, "c"], settings)

    def test_too_many_texts_are_refused(self, settings):
        with pytest.raises(Unprocessable, match="at most 3"):
            check_texts(["a"] * 4, settings)

    @pytest.mark.parametrize("wrong", ["b" * 11, " \t\n"])
    def test_a_wrong_text_is_named_by_its_position(self, settings, wrong):
        with pytest.raises(Unprocessable) as refusal:
            check_texts(["a", wrong], settings)

        assert [error.field for error in refusal.value.errors] == ["body.texts.1"]
