"""The plots of a run."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from mlplatform.training.calibration import Reliability

BLUE, GREY = "#1f6feb", "#8b949e"
DPI = 144
SMALL = (4.8, 3.6)
MOST_WRITTEN = 12
"""Classes up to which a cell's count is written into it."""


def draw_confusion(labels: Sequence[str], confusion: npt.NDArray[np.int64]) -> Figure:
    """Draw how often each class was taken for each."""
    edge = min(12.0, 3.0 + 0.3 * len(labels))
    figure = Figure(figsize=(edge + 0.8, edge), dpi=DPI, layout="constrained")
    axis = figure.subplots()
    shares = confusion / np.maximum(1, confusion.sum(axis=1, keepdims=True))
    image = axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, label="share of the true class")
    axis.set_xticks(range(len(labels)), [label[:20] for label in labels], rotation=90)
    axis.set_yticks(range(len(labels)), [label[:20] for label in labels])
    axis.set_xlabel("predicted")
    axis.set_ylabel("true")
    if len(labels) <= MOST_WRITTEN:
        for row, column in np.argwhere(confusion):
            color = "white" if shares[row, column] > 0.5 else "black"  # noqa: PLR2004 (readable on either half)
            axis.text(column, row, str(confusion[row, column]), ha="center", va="center", color=color, fontsize=7)
    return figure


def draw_reliability(found: Reliability) -> Figure:
    """Draw accuracy against confidence; on the diagonal, probabilities mean what they say."""
    figure = Figure(figsize=SMALL, dpi=DPI, layout="constrained")
    axis = figure.subplots()
    axis.plot((0, 1), (0, 1), color=GREY, linewidth=0.8, linestyle="--")
    axis.plot(found.confidence, found.accuracy, color=BLUE, marker="o", markersize=4)
    axis.set_xlabel("confidence")
    axis.set_ylabel("share that is right")
    axis.set_title(f"expected calibration error {found.error:.4f}", fontsize=9)
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def draw_losses(losses: Sequence[float]) -> Figure:
    """Draw the mean loss of each epoch."""
    figure = Figure(figsize=SMALL, dpi=DPI, layout="constrained")
    axis = figure.subplots()
    axis.plot(range(1, len(losses) + 1), losses, color=BLUE, linewidth=1.2)
    axis.set_xlabel("epoch")
    axis.set_ylabel("loss")
    axis.set_ylim(bottom=0)
    axis.spines[["top", "right"]].set_visible(False)
    return figure
