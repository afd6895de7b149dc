"""The best by BM25, whichever postings are gone through."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.search.lexical.blocks import NUMBER_SHIFT, TF_SHIFT, Block, read_block
from services.search.lexical.bm25 import Scorer, Scores, Term

K1, B = 1.2, 0.75


@dataclass
class Library:
    """Texts as how often each term is in them, some of them deleted."""

    lengths: Mapping[int, int]
    occurrences: Sequence[Mapping[int, int]]
    dead: frozenset[int]
    counts: Sequence[int]
    required: Sequence[bool]

    def scorer(self, segments: int) -> Scorer:
        alive = [length for number, length in self.lengths.items() if number not in self.dead]
        terms = [
            Term(count, need, [self._block(having, part, segments) for part in range(segments)])
            for having, count, need in zip(self.occurrences, self.counts, self.required, strict=True)
            if set(having) - self.dead
        ]
        return Scorer(terms, items=len(alive), tokens=sum(alive))

    def _block(self, having: Mapping[int, int], part: int, segments: int) -> Block:
        """Postings are in one segment, and what ended them is in the next."""
        added = [
            n << NUMBER_SHIFT | tf << TF_SHIFT | self.lengths[n] for n, tf in having.items() if n % segments == part
        ]
        dead = [n for n in having if n in self.dead and (n + 1) % segments == part]
        rows = (b"".join(int(value).to_bytes(8, "big") for value in values) for values in (added, dead))
        return read_block(len(added), len(dead), *rows)

    def expected(self) -> dict[int, float]:
        """Score every text as the formula is written down."""
        alive = {number: length for number, length in self.lengths.items() if number not in self.dead}
        mean = sum(alive.values()) / len(alive) if alive else 1.0
        scores: dict[int, float] = {}
        for having, count in zip(self.occurrences, self.counts, strict=True):
            living = {number: tf for number, tf in having.items() if number in alive}
            idf = math.log(1 + (len(alive) - len(living) + 0.5) / (len(living) + 0.5))
            for number, tf in living.items():
                part = count * idf * tf * (K1 + 1) / (tf + K1 * (1 - B + B * alive[number] / mean))
                scores[number] = scores.get(number, 0.0) + part
        needed = [set(having) for having, need in zip(self.occurrences, self.required, strict=True) if need]
        return {number: score for number, score in scores.items() if all(number in having for having in needed)}


@st.composite
def libraries(draw: st.DrawFn) -> Library:
    """Draw texts whose numbers lie close together or far apart."""
    step = draw(st.sampled_from([1, 3, 1000]))
    numbers = [1 + step * place for place in range(draw(st.integers(1, 60)))]
    lengths = {number: draw(st.integers(4, 40)) for number in numbers}
    share = st.sampled_from([0.05, 0.3, 0.9])
    random = draw(st.randoms(use_true_random=False))
    occurrences = [
        {number: random.choice((1, 1, 1, 2, 4)) for number in numbers if random.random() < part}
        for part in draw(st.lists(share, min_size=1, max_size=5))
    ]
    dead = frozenset(number for number in numbers if random.random() < 0.1)
    counts = [draw(st.integers(1, 3)) for _ in occurrences]
    required = [draw(st.integers(0, 9)) == 0 for _ in occurrences]
    return Library(lengths, occurrences, dead, counts, required)


def ranked(scores: Scores) -> list[tuple[int, float]]:
    """List numbers and scores."""
    return list(zip(scores.numbers.tolist(), scores.values.tolist(), strict=True))


class TestScorer:
    @given(library=libraries(), segments=st.integers(1, 4), most=st.sampled_from([1, 2, 5, 100]))
    def test_the_best_are_those_of_the_formula(self, library: Library, segments: int, most: int) -> None:
        expected = library.expected()
        having = zip(library.occurrences, library.required, strict=True)
        assume(all(set(numbers) - library.dead for numbers, need in having if need))  # seen where they are read
        found = ranked(library.scorer(segments).best(most))
        best = sorted(expected.values(), reverse=True)[:most]
        assert [score for _, score in found] == pytest.approx(best)
        assert [score for _, score in found] == pytest.approx([expected[number] for number, _ in found])
        assert found == sorted(found, key=lambda pair: (-pair[1], pair[0]))

    @given(library=libraries(), segments=st.integers(1, 4))
    def test_items_are_scored_one_by_one_as_they_are_together(self, library: Library, segments: int) -> None:
        scorer = library.scorer(segments)
        together = dict(ranked(scorer.best(len(library.lengths))))
        assert dict(ranked(scorer.of(library.lengths))) == together
        for number in library.lengths:
            assert dict(ranked(scorer.of([number]))).get(number) == together.get(number)

    def test_equal_items_are_in_the_order_of_their_numbers(self) -> None:
        once = dict.fromkeys(range(1, 200), 1)
        library = Library(dict.fromkeys(once, 9), [once] * 3, frozenset(), [1] * 3, [False] * 3)
        assert library.scorer(3).best(50).numbers.tolist() == list(range(1, 51))

    def test_a_frequent_word_beside_rare_ones_changes_scores_and_not_the_number_of_results(self) -> None:
        random = np.random.default_rng(0)
        lengths = {number: int(length) for number, length in enumerate(random.integers(5, 60, 20_000), 1)}
        rare = {int(number): 2 for number in random.choice(20_000, 400, replace=False) + 1}
        frequent = {number: 1 for number in lengths if number % 10}
        library = Library(lengths, [rare, frequent, frequent], frozenset(), [1, 1, 2], [False] * 3)
        expected = sorted(library.expected().items(), key=lambda pair: (-pair[1], pair[0]))[:300]
        found = ranked(library.scorer(2).best(300))
        assert [score for _, score in found] == pytest.approx([score for _, score in expected])
        assert {number for number, _ in found[:200]} == {number for number, _ in expected[:200]}
