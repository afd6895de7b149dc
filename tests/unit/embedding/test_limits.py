import pytest

from mlplatform.errors import Unprocessable
from services.embedding.limits import check_dimensions, check_prompt, check_texts
from services.embedding.settings import EmbeddingSettings


@pytest.fixture
def settings() -> EmbeddingSettings:
    return EmbeddingSettings(embedding_texts_per_request=3, embedding_text_characters=10)


class TestCheckTexts:
    def test_texts_within_the_limits_pass(self, settings):
        check_texts(["a", "b" * 10, "c"], settings)

    @pytest.mark.parametrize("text", ["\x1b[31m", "日本語", "🙂", "\u202e\u200b x", "a\x00b", "\u00ad-"])
    def test_a_text_with_anything_to_read_passes(self, settings, text):
        check_texts([text], settings)

    def test_too_many_texts_are_refused(self, settings):
        with pytest.raises(Unprocessable, match="at most 3"):
            check_texts(["a"] * 4, settings)

    def test_no_texts_are_refused(self, settings):
        with pytest.raises(Unprocessable):
            check_texts([], settings)

    @pytest.mark.parametrize("wrong", ["", "b" * 11, " \t\n", "\x00", "\x1b\x07", "\u200b\ufeff", "\u3000\x85\u2028"])
    def test_a_wrong_text_is_named_by_its_position(self, settings, wrong):
        with pytest.raises(Unprocessable) as refusal:
            check_texts(["a", wrong], settings)

        assert [error.field for error in refusal.value.errors] == ["body.texts.1"]

    def test_many_wrong_texts_are_not_all_listed(self):
        with pytest.raises(Unprocessable) as refusal:
            check_texts([" "] * 100, EmbeddingSettings())

        assert len(refusal.value.errors) == 20


class TestCheckIds:
    def test_ids_of_the_vocabulary_pass(self, settings):
        check_texts([[0, 99], [5]], settings, vocabulary=100)

    @pytest.mark.parametrize("wrong", [[], [-1], [100], [2**70], [5] * 11])
    def test_a_wrong_list_is_named_by_its_position(self, settings, wrong):
        with pytest.raises(Unprocessable) as refusal:
            check_texts([[5], wrong], settings, field="input", vocabulary=100)

        assert [error.field for error in refusal.value.errors] == ["input.1"]

    def test_a_model_without_a_known_vocabulary_takes_none(self, settings):
        with pytest.raises(Unprocessable, match="cannot be embedded"):
            check_texts([[5]], settings)


class TestCheckPrompt:
    def test_a_prompt_passes(self):
        check_prompt("query: ")

    def test_a_prompt_that_leaves_no_room_is_refused(self):
        with pytest.raises(Unprocessable):
            check_prompt("x" * 2001)


class TestCheckDimensions:
    @pytest.mark.parametrize("dimensions", [None, 1, 384])
    def test_up_to_the_model_s_own_pass(self, dimensions):
        check_dimensions(dimensions, 384)

    @pytest.mark.parametrize("dimensions", [-1, 0, 385])
    def test_others_are_refused(self, dimensions):
        with pytest.raises(Unprocessable) as refusal:
            check_dimensions(dimensions, 384)

        assert [error.field for error in refusal.value.errors] == ["body.dimensions"]
