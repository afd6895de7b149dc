"""The plots of a detector."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from mlplatform.training.drawing import DPI, SMALL

from detector_measures import THRESHOLD, Curve
from scenes import LABELS, Scene

COLOURS = ("#1f6feb", "#d29922", "#3fb950")
SHOWN = 8


def draw_curves(curves: Sequence[Curve]) -> Figure:
    """Draw precision against recall."""
    figure = Figure(figsize=SMALL, dpi=DPI, layout="constrained")
    axis = figure.subplots()
    for curve, colour in zip(curves, COLOURS, strict=True):
        axis.plot(curve.recall, curve.precision, color=colour, label=f"{curve.label} (AP {curve.average:.3f})")
    axis.set_xlim(0, 1.02)
    axis.set_ylim(0, 1.02)
    axis.set_xlabel("recall")
    axis.set_ylabel("precision, overlap of 0.5")
    axis.legend(frameon=False, loc="lower left", fontsize=8)
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def draw_examples(scenes: Sequence[Scene], detections: np.ndarray) -> Figure:
    """Draw some scenes with what was found in them."""
    figure = Figure(figsize=(8, 4.2), dpi=DPI, layout="constrained")
    for axis, scene, found in zip(figure.subplots(2, SHOWN // 2).flat, scenes, detections, strict=False):
        axis.imshow(scene.pixels)
        axis.set_axis_off()
        size = scene.pixels.shape[0]
        for left, top, right, bottom, kind, confidence in found[found[:, 5] >= THRESHOLD]:
            colour = COLOURS[int(kind)]
            corner, edges = (left * size - 0.5, top * size - 0.5), ((right - left) * size, (bottom - top) * size)
            axis.add_patch(Rectangle(corner, *edges, fill=False, edgecolor=colour, linewidth=1.2))
            axis.text(
                *corner, f"{LABELS[int(kind)]} {confidence:.2f}", fontsize=5, color="white", backgroundcolor=colour
            )
    return figure
