import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.search.lexical.spelling import LETTERS, neighbours, spellings


class TestNeighbours:
    @pytest.mark.parametrize("slip", ["aple", "appple", "appel", "spple", "applé"])
    def test_hold_what_was_meant(self, slip):
        assert "apple" in neighbours(slip)

    def test_do_not_hold_the_word_itself(self):
        assert "book" not in neighbours("book")

    @given(st.text(LETTERS, min_size=1, max_size=12), st.data())
    def test_are_mutual(self, word, data):
        other = data.draw(st.sampled_from(sorted(neighbours(word))))

        assert word in neighbours(other)


class TestSpellings:
    def test_pair_each_word_with_its_neighbours(self):
        pairs = spellings(["aple", "pear"], 10_000)

        assert len(pairs) == len(neighbours("aple")) + len(neighbours("pear"))
        assert {word for word, _ in pairs} == {"aple", "pear"}
        assert ("aple", "apple") in pairs

    def test_are_no_more_than_wanted_whatever_the_words(self):
        first = neighbours("aple")

        pairs = spellings(["aple", "pear", "plum"], len(first))

        assert pairs == [("aple", spelling) for spelling in sorted(first)]
