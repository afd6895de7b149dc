import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.search.lexical.query import LexicalQuery, parse_query


class TestParseQuery:
    @pytest.mark.parametrize(
        ("text", "words", "phrases"),
        [
            ("red apple", "red apple", ()),
            ('"red apple" pie', " red apple  pie", ("red apple",)),
            ('"red" and "green  pear"', " red  and  green  pear ", ("red", "green pear")),
            ("“red apple” pie", " red apple  pie", ("red apple",)),
            ("„roter Apfel“", " roter Apfel ", ("roter Apfel",)),
            ('"red" "red"', " red   red ", ("red",)),
            ('a 5" pipe', "a 5  pipe", ()),
            ('""', "  ", ()),
            ('"  "', "    ", ()),
            ('"red apple', " red apple", ()),
        ],
    )
    def test_reads_words_and_phrases(self, text, words, phrases):
        assert parse_query(text) == LexicalQuery(words, phrases)

    def test_a_long_text_is_not_quoting(self):
        assert parse_query('"a b" ' + "word " * 30).phrases == ("a b",)
        assert parse_query('"a b" ' + "word " * 31).phrases == ()

    @given(st.text())
    def test_any_text_is_a_query_without_quotes_left(self, text):
        query = parse_query(text)

        assert '"' not in query.text
        assert all(phrase.strip() and '"' not in phrase for phrase in query.phrases)
        assert query.text.split() == text.translate(dict.fromkeys(map(ord, '"“”„'), " ")).split()


class TestWords:
    def test_are_those_worth_correcting_once_each(self):
        assert parse_query("The APPLE, an apple; pie 2024 w0rd Äpfel").words() == ["apple", "äpfel"]

    def test_are_not_those_too_long_to_be_a_slip(self):
        assert parse_query(f"{'a' * 24} {'b' * 25} {'c' * 2000}").words() == ["a" * 24]


class TestWithWords:
    def test_replaces_whole_words_in_any_case(self):
        query = LexicalQuery("Aple aples, 'aple'", ("x",))

        assert query.with_words({"aple": "apple"}) == LexicalQuery("apple aples, 'apple'", ("x",))
