"""The plots of a gate report, as PNG."""

from collections.abc import Sequence
from io import BytesIO
from statistics import median
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

WIDTH = 7.2
ROW_HEIGHT = 0.95
LATENCY_HEIGHT = 2.9
DOTS_PER_INCH = 144
MARGIN = 0.18
PADDING = 0.1
INK, MUTED, GRID = "#1f2933", "#6b7785", "#dfe4ea"
CANDIDATE, PRODUCTION, LIMIT, REFUSED = "#2f6fde", "#8793a1", "#b42318", "#fbe9e7"


def plot_metrics(measurements: Sequence[dict[str, Any]]) -> bytes | None:
    """Draw each metric on a scale of its own: candidate, production, and the range that does not pass in red.

    Args:
        measurements: As the metrics gate has them in its detail.

    Returns:
        None when there is nothing to draw.
    """
    if not measurements:
        return None
    figure = Figure(figsize=(WIDTH, ROW_HEIGHT * len(measurements) + 0.55), dpi=DOTS_PER_INCH, layout=_layout())
    axes = figure.subplots(len(measurements), 1, squeeze=False)[:, 0]
    for axis, measurement in zip(axes, measurements, strict=True):
        _draw_metric(axis, measurement)
    handles = {handle.get_label(): handle for axis in axes for handle in axis.get_legend_handles_labels()[0]}
    figure.legend(
        handles=list(handles.values()), loc="outside upper left", ncols=len(handles), frameon=False, fontsize=9
    )
    return _png(figure)


def plot_latency(latencies: Sequence[float], budget: float | None) -> bytes | None:
    """Draw the times of the trial's predictions in the order in which they ran, with their median and 95th percentile.

    Args:
        latencies: Milliseconds.
        budget: Of the median, milliseconds; None when there is none.
    """
    if not latencies:
        return None
    figure = Figure(figsize=(WIDTH, LATENCY_HEIGHT), dpi=DOTS_PER_INCH, layout=_layout())
    axis = figure.subplots()
    axis.plot(range(1, len(latencies) + 1), latencies, "o", color=CANDIDATE, markersize=4, alpha=0.8)
    lines = {"median": (median(latencies), CANDIDATE, "-"), "p95": (percentile(latencies, 0.95), MUTED, "--")}
    if budget is not None:
        lines["budget of the median"] = (budget, LIMIT, "-")
    for name, (height, color, style) in lines.items():
        axis.axhline(height, color=color, linestyle=style, linewidth=1.2, label=f"{name} {height:.3g} ms")
    axis.set_xlim(0, len(latencies) + 1)
    axis.set_ylim(bottom=0, top=max([*latencies, budget or 0]) * (1 + MARGIN))
    axis.set_xlabel("prediction of the trial", color=MUTED, fontsize=9)
    axis.set_ylabel("milliseconds", color=MUTED, fontsize=9)
    axis.grid(axis="y", color=GRID)
    _plain(axis, left=True)
    figure.legend(loc="outside upper left", ncols=len(lines), frameon=False, fontsize=9)
    return _png(figure)


def percentile(values: Sequence[float], share: float) -> float:
    """Give the smallest value that at least this share of the values does not exceed (the nearest-rank method)."""
    ranked = sorted(values)
    return ranked[max(0, -int(-share * len(ranked) // 1) - 1)]


def _draw_metric(axis: Axes, measurement: dict[str, Any]) -> None:
    value, production, limit = measurement["value"], measurement["production"], measurement["limit"]
    shown = [number for number in (value, production, limit) if number is not None]
    spread = (max(shown) - min(shown)) or abs(value) or 1.0
    low, high = min(shown) - MARGIN * spread, max(shown) + MARGIN * spread
    axis.set_xlim(low, high)
    axis.set_ylim(-1, 1)
    axis.axhline(0, color=GRID, zorder=0)
    if limit is not None:
        start, end = (low, limit) if measurement["greater_is_better"] else (limit, high)
        axis.axvspan(start, end, color=REFUSED, zorder=0, label="does not pass")
        axis.axvline(limit, color=LIMIT, linewidth=1.4, label="limit")
    if production is not None:
        axis.plot([production], [0], "D", color=PRODUCTION, markersize=8, label="production")
    axis.plot([value], [0], "o", color=CANDIDATE, markersize=9, label="candidate")
    better = "more is better" if measurement["greater_is_better"] else "less is better"
    axis.set_title(f"{measurement['metric']}  ({better})", loc="left", fontsize=9.5, color=INK)
    _plain(axis, left=False)


def _plain(axis: Axes, *, left: bool) -> None:
    """Take away what says nothing."""
    for side in ("top", "right", *(() if left else ("left",))):
        axis.spines[side].set_visible(False)
    axis.spines["bottom"].set_color(GRID)
    axis.spines["left"].set_color(GRID)
    axis.tick_params(colors=MUTED, labelsize=8.5)
    if not left:
        axis.set_yticks([])


def _layout() -> ConstrainedLayoutEngine:
    return ConstrainedLayoutEngine(w_pad=PADDING, h_pad=PADDING)


def _png(figure: Figure) -> bytes:
    content = BytesIO()
    figure.savefig(content, format="png", metadata={"Software": None})
    return content.getvalue()
