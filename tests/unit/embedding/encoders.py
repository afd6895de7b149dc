"""An encoder without a model: fast, and with faults at the words that ask for them."""

import hashlib
import threading
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from services.embedding.encoding.backend import Vectors
from services.embedding.encoding.names import REFERENCE, BackendName
from services.embedding.encoding.packing import pack
from services.embedding.encoding.report import EncoderReport
from services.embedding.encoding.tokens import Tokens

DIMENSION = 384
POISON = "poison"


class WordEncoder:
    """A bag of words: texts that share words are near each other. Stands in for `Encoder`.

    Fails on a batch with the word `poison`, and returns no numbers for the word `infinite`.
    """

    dimension = DIMENSION
    max_tokens = 64
    truncation = "end"
    vocabulary = 2**32
    prompts: ClassVar[dict[str, str]] = {"query": "query: "}
    default_prompt = ""
    backend: BackendName = REFERENCE

    def __init__(self, budget: int = 2048) -> None:
        self.budget = budget
        self.forwarded: list[int] = []

    @property
    def report(self) -> EncoderReport:
        return EncoderReport(
            backend=self.backend,
            precision="fp32",
            max_tokens=self.max_tokens,
            truncation=self.truncation,
            batch_tokens=self.budget,
            length_step=1,
            few_shapes=False,
            choice=None,
        )

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


class HaltingEncoder(WordEncoder):
    """Encodes one batch, and then nothing until it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may = threading.Event()

    def forward(self, tokens: Sequence[Tokens]) -> Vectors:
        if self.forwarded:
            self.may.wait(60)
        return super().forward(tokens)


class HeldEncoder(WordEncoder):
    """Encodes only while the gate is open, so that a test decides what waits meanwhile."""

    def __init__(self, budget: int = 2048) -> None:
        super().__init__(budget)
        self.gate = threading.Event()
        self.started = threading.Event()

    def forward(self, tokens: Sequence[Tokens]) -> Vectors:
        self.started.set()
        assert self.gate.wait(30)
        return super().forward(tokens)


class FramedEncoder(WordEncoder):
    """Frames each text by tokens of its own, and gives the features of a BERT model."""

    BEGIN = (101,)
    END = (102,)

    def tokenise(self, texts: Sequence[str]) -> list[Tokens]:
        room = self.max_tokens - len(self.BEGIN) - len(self.END)
        tokens = []
        for text in texts:
            words = [word_id(word) for word in text.lower().split()]
            ids = [*self.BEGIN, *words[:room], *self.END]
            features = {"input_ids": ids, "token_type_ids": [0] * len(ids)}
            tokens.append(Tokens(features, len(words) > room))
        return tokens


def word_id(word: str) -> int:
    return int.from_bytes(hashlib.sha256(word.encode()).digest()[:4])
