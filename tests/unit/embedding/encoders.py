"""An encoder without a model: fast, and with faults at the words that ask for them."""

import hashlib
from collections.abc import Sequence

import numpy as np

from services.embedding.encoding.backend import Vectors
from services.embedding.encoding.packing import pack
from services.embedding.encoding.tokens import Tokens

DIMENSION = 384
POISON = "poison"


class WordEncoder:
    """A bag of words: texts that share words are near each other. Stands in for `Encoder`.

    Fails on a batch with the word `poison`, and returns no numbers for the word `infinite`.
    """

    dimension = DIMENSION
    max_tokens = 64

    def __init__(self, budget: int = 2048) -> None:
        self.budget = budget
        self.forwarded: list[int] = []

    def tokenise(self, texts: Sequence[str]) -> list[Tokens]:
        tokens = []
        for text in texts:
            words = [word_id(word) for word in text.lower().split()]
            tokens.append(Tokens({"input_ids": words[: self.max_tokens]}, len(words) > self.max_tokens))
        return tokens

    def batches(self, tokens: Sequence[Tokens]) -> list[list[int]]:
        return pack([len(row) for row in tokens], self.budget)

    def padded_tokens(self, tokens: Sequence[Tokens]) -> int:
        return len(tokens) * max(map(len, tokens))

    def forward(self, tokens: Sequence[Tokens]) -> Vectors:
        self.forwarded.append(len(tokens))
        vectors = np.full((len(tokens), DIMENSION), 1e-3, dtype=np.float32)
        for row, text in enumerate(tokens):
            if word_id(POISON) in text.features["input_ids"]:
                raise RuntimeError("poison")
            for word in text.features["input_ids"]:
                vectors[row, word % DIMENSION] += 1
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        for row, text in enumerate(tokens):
            if word_id("infinite") in text.features["input_ids"]:
                vectors[row, 0] = np.inf
        return vectors

    def encode(self, texts: Sequence[str]) -> Vectors:
        return self.forward(self.tokenise(texts))


def word_id(word: str) -> int:
    return int.from_bytes(hashlib.sha256(word.encode()).digest()[:4])
