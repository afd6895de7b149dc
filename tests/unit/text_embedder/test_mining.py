import numpy as np
import pytest
from judged import Judged, Pair
from mining import Candidates, from_model, mine
from ranking import Embedded

from mlplatform.retrieval.collection import Judgements

# Cosines to the query (1, 0): the relevant document 0.8, and others above, just below, and well below it.
COSINES = {"relevant": 0.8, "unjudged": 0.9, "close": 0.79, "hard": 0.7, "easy": 0.1}


def unit(cosine: float) -> list[float]:
    return [cosine, (1 - cosine**2) ** 0.5]


@pytest.fixture
def documents() -> Embedded:
    return Embedded(list(COSINES), np.array([unit(cosine) for cosine in COSINES.values()], dtype=np.float32))


@pytest.fixture
def queries() -> Embedded:
    return Embedded(["q"], np.array([[1.0, 0.0]], dtype=np.float32))


@pytest.fixture
def judged() -> Judged:
    train = Judgements({"q": "question"}, {"q": {"relevant"}})
    return Judged("tiny", {key: key for key in COSINES}, train, Judgements({}, {}), "0" * 64)


class TestFromModel:
    def test_the_nearest_come_first(self, queries, documents):
        assert from_model(queries, documents).found == {"q": ["unjudged", "relevant", "close", "hard", "easy"]}


class TestMine:
    def test_what_is_as_near_as_the_relevant_one_is_passed_over(self, judged, queries, documents):
        candidates = from_model(queries, documents)

        (example,) = mine(judged, [Pair("q", "relevant")], candidates, queries, documents, count=2, seed=1)

        assert set(example.negatives) == {"hard", "easy"}

    def test_any_other_document_stands_in_where_too_few_are_found(self, judged, queries, documents):
        candidates = Candidates("index", {"q": ["relevant", "hard"]})

        (example,) = mine(judged, [Pair("q", "relevant")], candidates, queries, documents, count=4, seed=1)

        assert example.negatives[0] == "hard"
        assert set(example.negatives) == COSINES.keys() - {"relevant"}

    def test_none_are_wanted(self, judged, queries, documents):
        candidates = from_model(queries, documents)

        (example,) = mine(judged, [Pair("q", "relevant")], candidates, queries, documents, count=0, seed=1)

        assert example.negatives == ()
