"""The plots of an evaluation."""

import random
from collections.abc import Sequence
from statistics import fmean

from matplotlib.figure import Figure

from mlplatform.retrieval.evaluation import FUSED, Evaluation
from mlplatform.retrieval.shares import WEIGHTS
from mlplatform.retrieval.tuning import curve

SIZE = (7.2, 3.6)
DOTS_PER_INCH = 144
DRAWS = 1000
SEED = 0
COLORS = {"lexical": "#8793a1", "vector": "#8793a1", "convex": "#2f6fde", "rrf": "#7aa5ec"}
LIMIT = "#b42318"


def plot_rankings(evaluation: Evaluation) -> Figure:
    """Draw nDCG@10 of each ranking, with the interval that holds 95 % of the means of queries drawn anew."""
    figure = Figure(figsize=SIZE, dpi=DOTS_PER_INCH, layout="constrained")
    axis = figure.subplots()
    for place, (name, figures) in enumerate(evaluation.figures.items()):
        mean = fmean(figures.ndcg)
        low, high = _interval(figures.ndcg)
        axis.bar(place, mean, color=COLORS[name], width=0.6)
        axis.errorbar(place, mean, [[mean - low], [high - mean]], color="#1f2933", capsize=4)
        axis.annotate(f"{mean:.3f}", (place, 0), xytext=(0, 6), textcoords="offset points", ha="center", color="white")
    axis.set_xticks(range(len(evaluation.figures)), list(evaluation.figures))
    axis.set_ylabel("nDCG@10")
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def plot_weights(evaluation: Evaluation) -> Figure:
    """Draw nDCG@10 for each weight of the vectors, and the weight in use."""
    figure = Figure(figsize=SIZE, dpi=DOTS_PER_INCH, layout="constrained")
    axis = figure.subplots()
    axis.plot(WEIGHTS, curve(evaluation.by_weight), "o-", color=COLORS[FUSED], markersize=4)
    axis.axvline(evaluation.weight, color=LIMIT, linewidth=1.2, label=f"in use: {evaluation.weight:g}")
    axis.set_xlabel("weight of the vectors: 0 is words only, 1 vectors only")
    axis.set_ylabel("nDCG@10")
    axis.legend(frameon=False)
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def _interval(values: Sequence[float]) -> tuple[float, float]:
    """The percentile bootstrap (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13)."""
    chance = random.Random(SEED)  # noqa: S311 - draws queries
    means = sorted(fmean(chance.choices(values, k=len(values))) for _ in range(DRAWS))
    return means[round(0.025 * DRAWS)], means[round(0.975 * DRAWS) - 1]
