"""PyTorch: every sentence-transformers model, on the processor or on a GPU."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from transformers.utils.logging import set_tqdm_hook

from services.embedding.encoding.backend import Features, OutOfMemory, Vectors, unit
from services.embedding.encoding.names import BackendName
from services.embedding.encoding.shapes import ANY
from services.embedding.encoding.tokens import IDS, MASK

DEVICES: dict[BackendName, tuple[str, torch.dtype]] = {
    "torch-fp32": ("cpu", torch.float32),
    "torch-bf16": ("cpu", torch.bfloat16),
    "torch-cuda-bf16": ("cuda", torch.bfloat16),
    "torch-cuda-fp16": ("cuda", torch.float16),
    "torch-cuda-fp32": ("cuda", torch.float32),
}


def load_model(folder: Path, **options: object) -> SentenceTransformer:
    """Read a model from a local folder into memory; nothing is fetched.

    Args:
        folder: A folder that sentence-transformers saved.
        options: Handed to the transformer's own loading.

    Raises:
        OSError: The folder holds no such model.
        ValueError: The same, as some versions of the library put it.
    """
    set_tqdm_hook(_without_bar)
    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True, model_kwargs=options)
    return model.eval()


class TorchBackend:
    """Runs the modules of a model as they are.

    Args:
        model: The model; it is moved to the device of the backend.
        name: One of `DEVICES`.
    """

    shapes = ANY

    def __init__(self, model: SentenceTransformer, name: BackendName) -> None:
        self.name = name
        self._device, number = DEVICES[name]
        self._model = model.to(device=self._device, dtype=number)
        self._flat = any(isinstance(module, StaticEmbedding) for module in model)

    def forward(self, features: Features) -> Vectors:
        """Compute one batch.

        Raises:
            OutOfMemory: The device has no room for the batch.
        """
        arrays = _flatten(features) if self._flat else features
        try:
            with torch.inference_mode():
                tensors = {name: torch.from_numpy(values).to(self._device) for name, values in arrays.items()}
                embedding = self._model(tensors)["sentence_embedding"]
                vectors: NDArray[np.floating] = embedding.float().cpu().numpy()
        except torch.OutOfMemoryError as error:
            raise OutOfMemory(str(error)) from error
        return unit(vectors)


def _flatten(features: Features) -> dict[str, NDArray[np.int64]]:
    """Make what a table of static embeddings reads: all tokens in a row, and where each text starts."""
    lengths = features[MASK].sum(axis=1)
    return {IDS: features[IDS][features[MASK] == 1], "offsets": np.concatenate([[0], np.cumsum(lengths)[:-1]])}


def _without_bar(factory: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Any:  # noqa: ANN401 - a tqdm
    """Keep progress bars out of the service's log."""
    return factory(*args, **{**options, "disable": True})
