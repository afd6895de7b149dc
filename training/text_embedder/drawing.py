"""The plots of a run."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from ranking import MEASURES, Gain, Quality

BLUE, GREY, BLACK = "#1f6feb", "#8b949e", "#1f2328"
LABELS = {"ndcg_at_10": "nDCG@10", "recall_at_100": "recall@100", "mrr_at_10": "MRR@10"}
SIZE = (7.2, 3.6)
DPI = 144
WIDTH = 0.36


def draw_quality(before: Quality, after: Quality, change: Gain) -> Figure:
    """Draw the measures before and after, and by how much nDCG@10 changed for each query."""
    figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    bars, queries = figure.subplots(1, 2)
    for offset, label, quality, color in ((-WIDTH / 2, "before", before, GREY), (WIDTH / 2, "after", after, BLUE)):
        means = quality.means()
        places = [place + offset for place in range(len(MEASURES))]
        drawn = bars.bar(places, [means[name] for name in MEASURES], WIDTH, color=color, label=label)
        bars.bar_label(drawn, fmt="%.3f", fontsize=7)
    bars.set_xticks(range(len(MEASURES)), [LABELS[name] for name in MEASURES])
    bars.legend(frameon=False, loc="upper left")
    pairs = zip(before.figures["ndcg_at_10"], after.figures["ndcg_at_10"], strict=True)
    differences = sorted(late - early for early, late in pairs)
    queries.bar(range(len(differences)), differences, 1.0, color=BLUE)
    queries.axhline(0, color=BLACK, linewidth=0.8)
    queries.set_xlabel("held-out queries, by what they gained")
    queries.set_ylabel("change of nDCG@10")
    queries.set_title(f"mean {change.mean:+.4f}, standard error {change.error:.4f}", fontsize=9)
    for axis in (bars, queries):
        axis.spines[["top", "right"]].set_visible(False)
    return figure


def draw_losses(losses: Sequence[float]) -> Figure:
    """Draw the loss of each step."""
    figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    axis = figure.subplots()
    axis.plot(range(1, len(losses) + 1), losses, color=BLUE, linewidth=1.2)
    axis.set_xlabel("step")
    axis.set_ylabel("loss")
    axis.set_ylim(bottom=0)
    axis.spines[["top", "right"]].set_visible(False)
    return figure
