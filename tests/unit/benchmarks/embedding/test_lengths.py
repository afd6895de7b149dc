import statistics

from benchmarks.embedding.lengths import SHORTEST, cut

LONG = " ".join(f"word{number}" for number in range(256))


class TestCut:
    def test_texts_are_beginnings_from_a_few_words_to_all_of_them(self):
        lengths = [len(text.split()) for text in cut([LONG] * 400, seed=1)]
        assert all(LONG.startswith(text) for text in cut([LONG] * 400, seed=1))
        assert min(lengths) == SHORTEST
        assert max(lengths) > 240

    def test_as_many_are_short_as_are_long_on_a_scale_of_logarithms(self):
        lengths = [len(text.split()) for text in cut([LONG] * 400, seed=1)]
        assert 24 < statistics.median(lengths) < 43

    def test_everybody_gets_the_same_texts(self):
        assert cut([LONG] * 8, seed=3) == cut([LONG] * 8, seed=3)
        assert cut([LONG] * 8, seed=3) != cut([LONG] * 8, seed=4)

    def test_what_is_shorter_than_the_shortest_stays_as_it_is(self):
        assert cut(["two words", ""], seed=1) == ["two words", ""]
