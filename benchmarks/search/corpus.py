"""Synthetic items: vectors in clusters, texts with natural word frequencies, tags of known selectivity.

A topic is a few dozen words. Its centre is the embedding of those words by the model that embeds the queries, so that
queries fall among the items as they do in a real collection. An item's vector is near the centre of its topic, and
differs from it in a few dozen directions; its text mixes words of the topic with words of the language, which follow
the law of Zipf and Mandelbrot. Tags are drawn independently of the topic.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

CONSONANTS = ["b", "c", "d", "f", "g", "l", "m", "n", "p", "r", "s", "t", "v"]
VOWELS = ["a", "e", "i", "o", "u"]
WORDS = 60_000
TOPICS = 400
TOPIC_WORDS = 40
TOPIC_SHARE = 0.35
MEAN_LENGTH = 60
CLOSENESS = 0.75
"""Cosine of an item's vector to the centre of its topic."""
FACTORS = 24
DECAY = 0.3
REST = 0.02
"""Items differ from the centres of their topics in this many directions, each a little weaker than the one before, and
by a small share in all others: so that they have about as many dimensions as texts have (participation ratio 33, of
abstracts embedded by all-MiniLM-L6-v2 32; independent directions: 182, which no text has and no index can search)."""
QUERY_WORDS = (2, 5)
CHUNK = 10_000
TAGS = {"all": 1.0, "tenth": 0.1, "hundredth": 0.01, "thousandth": 0.001}
"""Share of the items that have a tag."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some items.

    Attributes:
        first: Number of the first one.
        texts: Theirs.
        vectors: One unit row each.
        tags: For each tag which of them have it.
    """

    first: int
    texts: Sequence[str]
    vectors: Floats
    tags: dict[str, NDArray[np.bool_]]

    def tags_of(self, place: int) -> list[str]:
        """Return the tags of one of the items."""
        return [name for name, who in self.tags.items() if who[place]]

    def checksum(self, former: int = 0) -> int:
        """Return a number that is the same for the same items only.

        Args:
            former: That of the chunks before.
        """
        parts = [self.vectors.tobytes(), "\n".join(self.texts).encode(), *(who.tobytes() for who in self.tags.values())]
        for part in parts:
            former = zlib.crc32(part, former)
        return former


class Corpus:
    """Items that are the same for the same seed.

    Args:
        items: How many.
        seed: Of everything random.

    Attributes:
        items: How many.
        seed: Of everything random.
        centres: A unit row for each topic: the embeddings of `topic_texts`, to be set before `chunks`.
    """

    def __init__(self, items: int, seed: int = 7) -> None:
        self.items = items
        self.seed = seed
        self.centres: Floats = np.empty((0, 0), dtype=np.float32)

    @cached_property
    def words(self) -> list[str]:
        """The words of the language, the most frequent first: short ones, then longer ones."""
        syllables = [consonant + vowel for consonant in CONSONANTS for vowel in VOWELS]
        base = len(syllables)
        return [
            "".join(syllables[number // base**place % base] for place in range(2 if number < base**2 else 3)) + "x"
            for number in range(WORDS)
        ]

    @cached_property
    def topics(self) -> NDArray[np.int64]:
        """The words of each topic, none of the most frequent ones."""
        chance = np.random.default_rng([self.seed, 1])
        return chance.integers(500, WORDS, size=(TOPICS, TOPIC_WORDS))

    def topic_texts(self) -> list[str]:
        """Return a text for each topic, whose embedding is its centre."""
        return [" ".join(self.words[word] for word in row[:12]) for row in self.topics]

    def queries(self, count: int) -> list[str]:
        """Return different queries, each with some words of one topic."""
        chance = np.random.default_rng([self.seed, 2])
        found: dict[str, None] = {}
        while len(found) < count:
            row = self.topics[chance.integers(TOPICS)]
            words = chance.choice(row, size=chance.integers(*QUERY_WORDS), replace=False)
            found[" ".join(self.words[word] for word in words)] = None
        return list(found)

    def chunks(self) -> Iterator[Chunk]:
        """Yield the items."""
        ranks = np.arange(1, WORDS + 1)
        law = np.cumsum(1 / (ranks + 2.7) ** 1.05)
        law /= law[-1]
        for first in range(0, self.items, CHUNK):
            chance = np.random.default_rng([self.seed, 3, first])
            count = min(CHUNK, self.items - first)
            topic = chance.integers(TOPICS, size=count)
            lengths = np.clip(chance.lognormal(np.log(MEAN_LENGTH), 0.6, size=count), 5, 400).astype(int)
            total = int(lengths.sum())
            words = np.searchsorted(law, chance.random(total))
            owner = np.repeat(topic, lengths)
            special = chance.random(total) < TOPIC_SHARE
            words[special] = self.topics[owner[special], chance.integers(TOPIC_WORDS, size=int(special.sum()))]
            ends = np.cumsum(lengths)
            texts = [
                " ".join([self.words[word] for word in words[start:end]])
                for start, end in zip(ends - lengths, ends, strict=True)
            ]
            yield Chunk(first, texts, self._near(self.centres[topic], chance), _tags(count, chance))

    @cached_property
    def _factors(self) -> Floats:
        """The directions in which items differ from the centres of their topics, the strongest first."""
        chance = np.random.default_rng([self.seed, 4])
        directions = chance.standard_normal((FACTORS, self.centres.shape[1])).astype(np.float32)
        strengths = np.arange(1, FACTORS + 1, dtype=np.float32) ** -DECAY
        strengths *= np.sqrt((1 - REST) / (strengths**2).sum())
        return strengths[:, None] * directions / np.linalg.norm(directions, axis=1, keepdims=True)

    def _near(self, centres: Floats, chance: np.random.Generator) -> Floats:
        """Return a vector near each centre."""
        count, dimension = centres.shape
        weights = chance.standard_normal((count, FACTORS)).astype(np.float32)
        # Not by a matrix product, whose last digits depend on the number of threads.
        noise = np.einsum("if,fd->id", weights, self._factors, optimize=False)
        noise += np.sqrt(REST / dimension) * chance.standard_normal(centres.shape).astype(np.float32)
        noise -= (noise * centres).sum(axis=1, keepdims=True) * centres
        noise /= np.linalg.norm(noise, axis=1, keepdims=True)
        return (CLOSENESS * centres + np.sqrt(1 - CLOSENESS**2) * noise).astype(np.float32)


def _tags(count: int, chance: np.random.Generator) -> dict[str, NDArray[np.bool_]]:
    return {name: chance.random(count) < share for name, share in TAGS.items()}
