"""sentence-transformers as its documentation shows it: `model.encode(texts)` in fp32, in batches of 32."""

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from benchmarks.embedding.endpoint import PER_REQUEST
from benchmarks.embedding.model import FOLDER
from benchmarks.embedding.rate import Rate

BATCH = 32


class Reference:
    """The library in this process, on as many threads as it takes by itself."""

    def __init__(self) -> None:
        self._model = SentenceTransformer(str(FOLDER), device="cpu")
        self.encode(["warm up"])

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encode texts in one call, which sorts them by their characters first."""
        return np.asarray(self._model.encode(list(texts), batch_size=BATCH, show_progress_bar=False))

    def rate(self, texts: Sequence[str]) -> Rate:
        """Measure one call."""
        return self._measure(texts, len(texts))

    def rate_in_requests(self, texts: Sequence[str]) -> Rate:
        """Measure a call for each request that a service gets, as one that calls the library would make."""
        return self._measure(texts, PER_REQUEST)

    def _measure(self, texts: Sequence[str], size: int) -> Rate:
        started, used = time.perf_counter(), time.process_time()
        for start in range(0, len(texts), size):
            self.encode(texts[start : start + size])
        return Rate(len(texts) / (time.perf_counter() - started), len(texts) / (time.process_time() - used))

    def milliseconds(self, query: str) -> float:
        """Return how long one query takes."""
        started = time.perf_counter()
        self.encode([query])
        return (time.perf_counter() - started) * 1000

    def tokens(self, text: str) -> int:
        """Return the length of a text in tokens."""
        return int(self._model.preprocess([text])["attention_mask"].sum())

    def mean_tokens(self, texts: Sequence[str]) -> float:
        """Return the mean length of texts in tokens, as far as the model reads them."""
        return round(sum(map(self.tokens, texts)) / len(texts), 1)
