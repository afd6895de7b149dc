"""The model: text to tokens to vectors. It blocks, so it is called from the encoder's own thread."""

import ctypes
import gc
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import structlog
import torch

from services.embedding.encoding.backend import Backend, OutOfMemory, Vectors
from services.embedding.encoding.names import REFERENCE, precision
from services.embedding.encoding.packing import pack
from services.embedding.encoding.report import Choice, EncoderReport
from services.embedding.encoding.tokens import Tokeniser, Tokens
from services.embedding.encoding.torch_backend import TorchBackend, load_model
from services.embedding.encoding.warming import warm_up

log = structlog.get_logger(__name__)


class Encoder:
    """A model that tokenises once and batches by tokens instead of by texts, on a backend that may be exchanged.

    Args:
        tokeniser: Text to tokens.
        backend: Tokens to vectors.
        dimension: Length of a vector.
        token_budget: Most tokens of a batch, padding included.
        prompts: Texts that the model was trained to have before a text, by name.
        default_prompt: The one that it has unless another one is asked for.
    """

    def __init__(
        self,
        tokeniser: Tokeniser,
        backend: Backend,
        *,
        dimension: int,
        token_budget: int,
        prompts: Mapping[str, str] | None = None,
        default_prompt: str = "",
    ) -> None:
        self._tokeniser = tokeniser
        self._backend = backend
        self._token_budget = token_budget
        self.dimension = dimension
        self.max_tokens = tokeniser.max_tokens
        self.truncation = tokeniser.cuts
        self.vocabulary = tokeniser.vocabulary
        self.prompts = dict(prompts or {})
        self.default_prompt = default_prompt
        self.choice: Choice | None = None

    @classmethod
    def load(cls, folder: Path, *, token_budget: int, threads: int) -> Self:
        """Read a model from a local folder, to be computed by PyTorch in fp32; nothing is fetched.

        Args:
            folder: A folder that sentence-transformers saved.
            token_budget: Most tokens of a batch, padding included.
            threads: Threads of one matrix multiplication.

        Raises:
            OSError: The folder holds no such model.
            ValueError: The same, as some versions of the library put it, or the model reads no plain text.
        """
        torch.set_num_threads(threads)
        model = load_model(folder)
        return cls(
            Tokeniser.of(model),
            TorchBackend(model, REFERENCE),
            dimension=int(model.get_embedding_dimension()),
            token_budget=token_budget,
            prompts={name: text for name, text in model.prompts.items() if text},
            default_prompt=model.prompts.get(model.default_prompt_name) or "",
        )

    @property
    def backend(self) -> str:
        """Name of the backend that computes at the moment."""
        return self._backend.name

    @property
    def report(self) -> EncoderReport:
        """How texts become vectors at the moment."""
        backend = self._backend
        return EncoderReport(
            backend=backend.name,
            precision=precision(backend.name),
            max_tokens=self.max_tokens,
            truncation=self.truncation,
            batch_tokens=self._token_budget,
            length_step=backend.shapes.step,
            few_shapes=backend.shapes.few,
            choice=self.choice,
        )

    def use(self, backend: Backend, *, token_budget: int, go_on: Callable[[], bool] = lambda: True) -> None:
        """Compute with another backend from the next batch on, and give the memory of the present one back.

        It may be called from any thread; a batch at work ends on the backend that it began on.

        Args:
            backend: It takes over when it has computed a batch of each shape, or as many as four seconds allow.
            token_budget: Most tokens of its batches.
            go_on: Asked in between; nothing is exchanged when this is false.
        """
        shapes = warm_up(backend, self._tokeniser, token_budget, go_on=go_on)
        log.info("embedding.warmed_up", backend=backend.name, shapes=shapes)
        if not go_on():
            return
        self._token_budget = token_budget
        self._backend = backend
        gc.collect()
        _return_memory()

    def tokenise(self, texts: Sequence[str]) -> list[Tokens]:
        """Turn texts into tokens, cut to what the model reads; no prompt is put before them."""
        return self._tokeniser(texts)

    def batches(self, tokens: Sequence[Tokens]) -> list[list[int]]:
        """Return which rows to encode together."""
        return pack([len(row) for row in tokens], self._token_budget, self._backend.shapes)

    def padded_tokens(self, tokens: Sequence[Tokens]) -> int:
        """Return how many tokens are computed for one batch, padding included."""
        return len(tokens) * self._tokeniser.width(tokens, self._backend.shapes)

    def forward(self, tokens: Sequence[Tokens]) -> Vectors:
        """Encode one batch; in halves where the device has no room for all of it.

        Returns:
            Unit vectors, `(len(tokens), dimension)`.

        Raises:
            OutOfMemory: There is no room for a single text.
        """
        backend = self._backend
        try:
            return backend.forward(self._tokeniser.pad(tokens, backend.shapes))
        except OutOfMemory:
            if len(tokens) == 1:
                raise
        self._halve(self.padded_tokens(tokens))
        middle = len(tokens) // 2
        return np.concatenate([self.forward(tokens[:middle]), self.forward(tokens[middle:])])

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Encode texts of any number, in their order, each with the default prompt before it.

        Returns:
            Unit vectors, `(len(texts), dimension)`.
        """
        tokens = self.tokenise([self.default_prompt + text for text in texts])
        vectors = np.empty((len(tokens), self.dimension), dtype=np.float32)
        for batch in self.batches(tokens):
            vectors[batch] = self.forward([tokens[row] for row in batch])
        return vectors

    def _halve(self, failed: int) -> None:
        """Make later batches smaller than the one that there was no room for."""
        budget = max(min(self._token_budget, failed) // 2, 1)
        log.warning("embedding.out_of_memory", tokens=failed, batch_tokens=budget)
        self._token_budget = budget


def _return_memory() -> None:
    """Give freed memory back to the system, where the C library can; it would keep it for itself."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
