import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.search.storable import DEPTH, check_json, check_not_blank, check_text

storable_text = st.text(alphabet=st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | storable_text,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(storable_text, children, max_size=3),
    max_leaves=5,
)


def nested(levels: int) -> list[object]:
    value: list[object] = []
    for _ in range(levels - 1):
        value = [value]
    return value


class TestCheckJson:
    @given(json_values)
    def test_json_without_nul_passes(self, value):
        check_json(value, depth=1000)

    @pytest.mark.parametrize("value", ["\x00", {"a": ["b\x00"]}, {"\x00": 1}, [{"a": {"b\x00": 1}}]])
    def test_a_nul_anywhere_is_refused(self, value):
        with pytest.raises(ValueError, match="NUL"):
            check_json(value)

    @pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
    def test_a_number_that_is_none_is_refused(self, number):
        with pytest.raises(ValueError, match="number"):
            check_json({"a": [number]})

    def test_the_deepest_allowed_value_passes(self):
        check_json(nested(DEPTH))

    def test_a_deeper_one_is_refused(self):
        with pytest.raises(ValueError, match="nested"):
            check_json(nested(DEPTH + 1))


class TestCheckText:
    def test_a_nul_is_refused(self):
        with pytest.raises(ValueError, match="NUL"):
            check_text("a\x00b")


class TestCheckNotBlank:
    @pytest.mark.parametrize("text", ["", " \n\t\u3000", "\x01\x1b\x7f", "\x85\u2028", "\u200b\u202e\ufeff", " \x07 "])
    def test_white_space_and_control_characters_are_refused(self, text):
        with pytest.raises(ValueError, match="only white space and control characters"):
            check_not_blank(text)

    @pytest.mark.parametrize("text", [".", "\x1b[31m", "\u202e x", "日", "🙂"])
    def test_anything_beside_them_passes(self, text):
        assert check_not_blank(text) == text
