import numpy as np

from benchmarks.search import corpus as made
from benchmarks.search.corpus import CLOSENESS, TAGS, TOPICS, Corpus

DIMENSION = 16


def corpus(items: int, seed: int = 7) -> Corpus:
    found = Corpus(items, seed)
    centres = np.random.default_rng(1).standard_normal((TOPICS, DIMENSION)).astype(np.float32)
    found.centres = centres / np.linalg.norm(centres, axis=1, keepdims=True)
    return found


def checksum(of: Corpus) -> int:
    found = 0
    for chunk in of.chunks():
        found = chunk.checksum(found)
    return found


class TestChunks:
    def test_same_seed_gives_the_same_items(self):
        assert checksum(corpus(500)) == checksum(corpus(500))

    def test_other_seed_gives_others(self):
        assert checksum(corpus(500)) != checksum(corpus(500, seed=8))

    def test_every_item_comes_once(self, monkeypatch):
        monkeypatch.setattr(made, "CHUNK", 300)
        chunks = list(corpus(1000).chunks())
        assert [chunk.first for chunk in chunks] == [0, 300, 600, 900]
        assert sum(len(chunk.texts) for chunk in chunks) == sum(len(chunk.vectors) for chunk in chunks) == 1000

    def test_vectors_are_near_a_centre(self):
        of = corpus(500)
        vectors = np.concatenate([chunk.vectors for chunk in of.chunks()])
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
        own = np.abs(vectors @ of.centres.T - CLOSENESS).min(axis=1)
        assert own.max() < 1e-5

    def test_tags_are_as_frequent_as_they_say(self):
        chunk = next(corpus(10_000).chunks())
        for tag, share in TAGS.items():
            assert abs(chunk.tags[tag].mean() - share) < 4 * (share * (1 - share) / 10_000) ** 0.5 + 1e-9

    def test_tags_of_an_item(self):
        chunk = next(corpus(200).chunks())
        place = int(np.flatnonzero(chunk.tags["tenth"])[0])
        assert {"all", "tenth"} <= set(chunk.tags_of(place))

    def test_frequent_words_are_frequent(self):
        of = corpus(500)
        words = " ".join(text for chunk in of.chunks() for text in chunk.texts).split()
        assert words.count(of.words[0]) > words.count(of.words[100]) > 0


class TestQueries:
    def test_all_are_different_and_of_words_that_items_have(self):
        of = corpus(500)
        queries = of.queries(300)
        assert len(set(queries)) == 300
        assert {word for query in queries for word in query.split()} <= set(of.words)
