"""The model: text to tokens to vectors. It blocks, so it is called from the encoder's own thread."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from transformers.utils.logging import set_tqdm_hook

from services.embedding.packing import pack

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Tokens:
    """A text as the model reads it.

    Attributes:
        features: What the tokenizer made, one list of the same length per name, such as `input_ids`.
        truncated: Whether the text was longer than the model reads.
    """

    features: dict[str, list[int]]
    truncated: bool

    def __len__(self) -> int:
        return len(self.features["input_ids"])


class Encoder:
    """A sentence-transformers model that tokenises once and batches by tokens instead of by texts.

    Args:
        model: The model, in evaluation mode on its device.
        token_budget: Most tokens of a batch, padding included.
    """

    def __init__(self, model: SentenceTransformer, *, token_budget: int) -> None:
        self._model = model
        self._token_budget = token_budget
        self.dimension = int(model.get_embedding_dimension())
        self.max_tokens = int(model.max_seq_length or model.tokenizer.model_max_length)
        self.vocabulary = len(model.tokenizer)
        self.prompts: dict[str, str] = {name: text for name, text in model.prompts.items() if text}

    @classmethod
    def load(cls, folder: Path, *, token_budget: int, threads: int) -> Self:
        """Read a model from a local folder; nothing is fetched.

        Args:
            folder: A folder that sentence-transformers saved.
            token_budget: Most tokens of a batch, padding included.
            threads: Threads of one matrix multiplication.

        Raises:
            OSError: The folder holds no such model.
            ValueError: The same, as some versions of the library put it.
        """
        set_tqdm_hook(_without_bar)
        torch.set_num_threads(threads)
        model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
        model.eval()
        return cls(model, token_budget=token_budget)

    def tokenise(self, texts: Sequence[str]) -> list[Tokens]:
        """Turn texts into tokens, cut to what the model reads."""
        if not texts:
            return []
        encoded = self._model.tokenizer(list(texts), truncation=True, max_length=self.max_tokens)
        return [
            Tokens({name: values[row] for name, values in encoded.items()}, bool(encoded.encodings[row].overflowing))
            for row in range(len(texts))
        ]

    def batches(self, tokens: Sequence[Tokens]) -> list[list[int]]:
        """Return which rows to encode together."""
        return pack([len(row) for row in tokens], self._token_budget)

    def forward(self, tokens: Sequence[Tokens]) -> Vectors:
        """Encode one batch.

        Returns:
            Unit vectors, `(len(tokens), dimension)`.
        """
        names = tokens[0].features
        padded = self._model.tokenizer.pad(
            {name: [row.features[name] for row in tokens] for name in names}, return_tensors="pt"
        )
        with torch.inference_mode():
            output = self._model(dict(padded))["sentence_embedding"]
            vectors = torch.nn.functional.normalize(output, p=2, dim=1)
        return np.asarray(vectors.numpy(), dtype=np.float32)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Encode texts of any number, in their order.

        Returns:
            Unit vectors, `(len(texts), dimension)`.
        """
        tokens = self.tokenise(texts)
        vectors = np.empty((len(tokens), self.dimension), dtype=np.float32)
        for batch in self.batches(tokens):
            vectors[batch] = self.forward([tokens[row] for row in batch])
        return vectors


def _without_bar(factory: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Any:  # noqa: ANN401 - a tqdm
    """Keep progress bars out of the service's log."""
    return factory(*args, **{**options, "disable": True})
