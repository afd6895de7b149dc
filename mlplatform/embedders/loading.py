"""A first look at an embedding model: it loads, and what it gives can be stored."""

from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from mlplatform.embedders.errors import EmbedderError

TEXTS = ("a text", "another text with a few words more")
LARGEST = 4000
"""Dimensions that pgvector can index as halves."""


def dimension_of(folder: Path) -> int:
    """Load a model, embed two texts, and return the length of the vectors. Nothing is fetched, and no code of its runs.

    Raises:
        EmbedderError: It does not load, or its vectors are of no use.
    """
    try:
        model = SentenceTransformer(str(folder), device="cpu", local_files_only=True, trust_remote_code=False)
        with torch.inference_mode():
            vectors = np.asarray(model.encode(list(TEXTS), show_progress_bar=False), dtype=np.float32)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise EmbedderError(f"it does not load: {error}") from error
    if not np.isfinite(vectors).all() or not np.linalg.norm(vectors, axis=1).all():
        raise EmbedderError("its vectors hold values that are no numbers, or nothing at all")
    dimension = int(vectors.shape[1])
    if dimension > LARGEST:
        raise EmbedderError(f"its vectors have {dimension} dimensions, and the index takes {LARGEST} at most")
    return dimension
