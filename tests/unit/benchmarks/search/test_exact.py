import numpy as np
import pytest

from benchmarks.search import corpus as made
from benchmarks.search.corpus import TOPICS, Corpus
from benchmarks.search.exact import DEPTH, Neighbours, find

DIMENSION = 16


def rows(count: int, seed: int) -> np.ndarray:
    found = np.random.default_rng(seed).standard_normal((count, DIMENSION)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


@pytest.fixture
def corpus() -> Corpus:
    found = Corpus(3000)
    found.centres = rows(TOPICS, 1)
    return found


class TestFind:
    def test_agrees_with_sorting_everything(self, corpus, monkeypatch):
        monkeypatch.setattr(made, "CHUNK", 700)  # several chunks
        queries = rows(5, 2)
        found = find(corpus, queries)
        chunks = list(corpus.chunks())
        vectors = np.concatenate([chunk.vectors for chunk in chunks])
        for tag in ("all", "tenth", "hundredth"):
            who = np.flatnonzero(np.concatenate([chunk.tags[tag] for chunk in chunks]))
            assert found.matching[tag] == len(who)
            for query, near in zip(queries, found.near[tag], strict=True):
                order = who[np.argsort(-(vectors[who] @ query))]
                assert set(map(int, order[:DEPTH])) <= near
                assert near <= set(map(int, order[: DEPTH + 3]))  # those as near as the last one

    def test_fewer_items_than_asked_for_are_all_neighbours(self, corpus):
        found = find(corpus, rows(3, 2))
        assert 0 < found.matching["thousandth"] < DEPTH
        assert found.wanted("thousandth") == found.matching["thousandth"]
        assert {len(near) for near in found.near["thousandth"]} == {found.matching["thousandth"]}

    def test_checksum_is_that_of_the_items(self, corpus):
        checksum = 0
        for chunk in corpus.chunks():
            checksum = chunk.checksum(checksum)
        assert find(corpus, rows(1, 2)).checksum == checksum


class TestJudge:
    def test_recall_is_the_share_of_true_neighbours(self):
        near = frozenset(range(10))
        found = Neighbours({"all": [near, near]}, {"all": 100}, 0)
        answers = [list(range(10)), [0, 1, 2, 3, 4, 50, 51, 52, 53, 54]]
        assert found.judge("all", answers) == {"recall_at_10": 0.75, "short_answers": 0}

    def test_as_near_as_the_last_one_is_right_too(self):
        found = Neighbours({"all": [frozenset(range(11))]}, {"all": 100}, 0)
        assert found.judge("all", [list(range(1, 11))])["recall_at_10"] == 1

    def test_answer_that_repeats_an_item_is_short(self):
        found = Neighbours({"all": [frozenset(range(10))]}, {"all": 100}, 0)
        assert found.judge("all", [[0] * 10]) == {"recall_at_10": 0.1, "short_answers": 1}

    def test_no_answer_is_short_where_few_match(self):
        found = Neighbours({"tenth": [frozenset({3, 5})]}, {"tenth": 2}, 0)
        assert found.judge("tenth", [[3, 5]]) == {"recall_at_10": 1, "short_answers": 0}
        assert found.judge("tenth", [[3]])["short_answers"] == 1
