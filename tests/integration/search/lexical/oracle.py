"""BM25 in plain Python, over words that every stemmer leaves alone."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

WORDS = ("gnu", "ibex", "kudu", "lynx", "okapi", "oryx", "puma", "tapir", "topi", "yak", "zebu", "zho")
K1 = 1.2
B = 0.75


def bm25(documents: Mapping[str, str], query: Sequence[str]) -> dict[str, float]:
    """Return the score of each document that has a word of the query."""
    counted = {key: Counter(text.split()) for key, text in documents.items()}
    lengths = {key: counts.total() for key, counts in counted.items()}
    mean = sum(lengths.values()) / max(1, len(lengths))
    scores: dict[str, float] = {}
    for term, times in Counter(query).items():
        having = [key for key, counts in counted.items() if counts[term]]
        idf = math.log(1 + (len(documents) - len(having) + 0.5) / (len(having) + 0.5))
        for key in having:
            tf = counted[key][term]
            norm = K1 * (1 - B + B * lengths[key] / mean)
            scores[key] = scores.get(key, 0.0) + times * idf * tf * (K1 + 1) / (tf + norm)
    return scores


def assert_ranked(found: Sequence[tuple[str, float]], expected: Mapping[str, float], limit: int) -> None:
    """Check that the documents are the best by these scores, whatever the order of equal ones."""
    best = sorted(expected.values(), reverse=True)[:limit]
    assert [score for _, score in found] == [approximately(score) for score in best]
    assert len({key for key, _ in found}) == len(found)
    for key, score in found:
        assert score == approximately(expected[key])


class approximately:  # noqa: N801 - reads as a value; pytest.approx prints whole lists slowly
    """Equal within the rounding of the service, 8 digits after the point."""

    def __init__(self, value: float) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, float) and math.isclose(self.value, other, rel_tol=1e-9, abs_tol=2e-8)

    def __hash__(self) -> int:
        return hash(self.value)

    def __repr__(self) -> str:
        return repr(self.value)
