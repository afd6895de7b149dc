"""A cross-encoder in memory. Nothing is fetched, and no code of its runs."""

from pathlib import Path

import numpy as np
from sentence_transformers import CrossEncoder
from torch import nn

from mlplatform.embedders.errors import EmbedderError

PAIRS = [("a query", "a text"), ("another query", "another text with a few words more")]


def load(folder: Path, device: str | None = None) -> CrossEncoder:
    """Load a cross-encoder that gives each pair one score.

    Its activation function is passed over: the folder could name any function, and scores are logits here.

    Args:
        folder: What `check_folder` has looked at.
        device: Such as `cpu`; None for the fastest that there is.

    Raises:
        EmbedderError: It does not load, or classifies into several classes.
    """
    try:
        model = CrossEncoder(
            str(folder), device=device, activation_fn=nn.Identity(), local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise EmbedderError(f"it does not load: {error}") from error
    if model.num_labels != 1:
        raise EmbedderError(f"it gives {model.num_labels} scores for a pair, and a re-ranker gives one")
    model.eval()
    return model


def check(folder: Path) -> None:
    """Load a cross-encoder and have it score two pairs.

    Raises:
        EmbedderError: It does not load, or its scores are of no use.
    """
    scores = np.asarray(load(folder, "cpu").predict(PAIRS, show_progress_bar=False))
    if scores.shape != (len(PAIRS),) or not np.isfinite(scores).all():
        raise EmbedderError("its scores are no numbers")
