"""Plots of a run, each with the table behind it."""

from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from curves import CurveKind
from dataset import Dataset
from evaluate import Evaluation
from features import feature_names
from forecaster import CurveModel
from learners import importance
from walk_forward import Forecast
from weights import with_persistence

BLUE, GREEN, ORANGE, GREY, BLACK = "#1f6feb", "#2da44e", "#d9730d", "#8b949e", "#1f2328"
COLOURS = {"ridge": BLUE, "lightgbm": GREEN, "random_forest": ORANGE}
PANELS = 4
DPI = 100


def draw(folder: Path, dataset: Dataset, forecast: Forecast, evaluation: Evaluation, fitted: CurveModel) -> None:
    """Write every plot and its CSV file into a folder.

    Args:
        folder: An existing folder.
        dataset: What was trained on.
        forecast: The forecasts of the scored days.
        evaluation: Their errors.
        fitted: The model with all its learners, those without weight too.
    """
    curves = curves_table(dataset, forecast)
    importances = importances_table(fitted, forecast)
    horizons = horizons_table(evaluation)
    cells = evaluation.table()
    kind = dataset.kind
    figures = {
        "curves_forecast_against_actual": (curves, draw_curves(curves, kind, forecast.horizons[-1])),
        "rmse_by_tenor_and_horizon": (cells, draw_cells(cells, kind)),
        "skill_by_horizon": (horizons, draw_skill(horizons, kind, evaluation)),
        "feature_importances": (importances, draw_importances(importances, forecast)),
    }
    for name, (table, figure) in figures.items():
        table.to_csv(folder / f"{name}.csv", index=False)
        with mpl.rc_context({"savefig.dpi": DPI}):
            figure.savefig(folder / f"{name}.png")


def curves_table(dataset: Dataset, forecast: Forecast) -> pd.DataFrame:
    """Return a few curves forecast for the longest horizon, evenly spread over the scored days, and what came."""
    ahead = forecast.horizons[-1]
    last = int(np.flatnonzero(forecast.origins + ahead < len(dataset.frame))[-1])
    days = dataset.frame.index
    observed = ~np.isnan(forecast.actual).all(axis=1)
    parts = []
    for position in np.unique(np.linspace(0, last, PANELS).astype(int)):
        origin = forecast.origins[position]
        learned = observed[forecast.fold == forecast.fold[position]].any(axis=0)
        parts.append(
            pd.DataFrame(
                {
                    "origin": str(days[origin].date()),
                    "day": str(days[origin + ahead].date()),
                    "tenor": dataset.tenors,
                    "last_known": forecast.last[position],
                    "forecast": np.where(learned, forecast.forecast[position, -1], np.nan),
                    "actual": forecast.actual[position, -1],
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def horizons_table(evaluation: Evaluation) -> pd.DataFrame:
    """Return the errors by days ahead."""
    return pd.DataFrame(
        {
            "horizon_days": ahead,
            "rmse": scores.rmse,
            "persistence_rmse": scores.persistence_rmse,
            "mae": scores.mae,
            "persistence_mae": scores.persistence_mae,
            "skill": scores.skill,
            "observations": scores.observations,
        }
        for ahead, scores in evaluation.horizons.items()
    )


def importances_table(fitted: CurveModel, forecast: Forecast) -> pd.DataFrame:
    """Return how much each learner looks at each feature, the least important first."""
    names = feature_names(fitted.loadings.shape[1])
    shares = {name: importance(member, len(names) - 1) for name, member in fitted.members.items()}
    weights = dict(forecast.weights)
    ranking = sum(share * (weights[name] or 1e-6) for name, share in shares.items())
    order = np.argsort(ranking, kind="stable")
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "feature": np.array(names)[order],
                    "learner": learner,
                    "share": share[order],
                    "weight": weights[learner],
                }
            )
            for learner, share in shares.items()
        ],
        ignore_index=True,
    )


def draw_curves(table: pd.DataFrame, kind: CurveKind, ahead: int) -> Figure:
    """Draw forecast curves beside the curves they started from and what came."""
    figure = Figure(figsize=(12.4, 8), layout="constrained")
    figure.suptitle(f"{kind.title}: forecast against actual, days not trained on")
    panels = list(table.groupby("origin", sort=False))
    grid = figure.subplots(-(-len(panels) // 2), 2, squeeze=False).ravel()
    for axes, (origin, part) in zip(grid, panels, strict=False):
        axes.plot(part["tenor"], part["last_known"], "--", color=GREY, label="last known curve (persistence)")
        axes.plot(part["tenor"], part["forecast"], color=BLUE, linewidth=2, label=f"forecast, {ahead} days ahead")
        axes.plot(part["tenor"], part["actual"], "o", color=BLACK, markersize=4, label="actual")
        axes.set_title(f"from {origin} for {part['day'].iloc[0]}", fontsize="medium")
        axes.set_ylabel(kind.axis)
        axes.tick_params(axis="x", rotation=45)
        axes.grid(alpha=0.25)
    for axes in grid[len(panels) :]:
        axes.remove()
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    return figure


def draw_cells(table: pd.DataFrame, kind: CurveKind) -> Figure:
    """Draw the RMSE by tenor and horizon."""
    grid = table.pivot_table(index="horizon_days", columns="tenor", values="rmse", sort=False)
    figure = Figure(figsize=(12.4, max(3.0, 1.6 + 0.5 * len(grid))), layout="constrained")
    axes = figure.subplots()
    most = float(np.nanmax(grid.to_numpy())) or 1.0
    decimals = max(0, 2 - int(np.floor(np.log10(most))))  # three digits of the largest
    image = axes.imshow(grid.to_numpy(), aspect="auto", cmap="Blues", vmin=0, vmax=most)
    for row, column in np.argwhere(~np.isnan(grid.to_numpy())):
        value = grid.iat[row, column]
        colour = "white" if value > most / 2 else BLACK
        axes.text(column, row, f"{value:.{decimals}f}", ha="center", va="center", fontsize="small", color=colour)
    axes.set_xticks(range(len(grid.columns)), grid.columns, rotation=45)
    axes.set_yticks(range(len(grid.index)), [str(ahead) for ahead in grid.index])
    axes.set(xlabel="tenor", ylabel="days ahead", title=f"RMSE by tenor and horizon, walk-forward ({kind.unit})")
    figure.colorbar(image, label=kind.unit)
    return figure


def draw_skill(table: pd.DataFrame, kind: CurveKind, evaluation: Evaluation) -> Figure:
    """Draw errors and skill by days ahead, with the interval of the overall skill in the title."""
    figure = Figure(figsize=(12.4, 4.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    ahead = table["horizon_days"].astype(str)
    left.plot(ahead, table["rmse"], "o-", color=BLUE, label="forecast")
    left.plot(ahead, table["persistence_rmse"], "o--", color=GREY, label="persistence")
    left.set_ylim(bottom=0)
    left.set(xlabel="days ahead", ylabel=f"RMSE ({kind.unit})", title="Error by horizon, days not trained on")
    left.legend(frameon=False)
    left.grid(axis="y", alpha=0.25)
    low, high = evaluation.interval
    right.bar(ahead, table["skill"], color=[BLUE if skill > 0 else ORANGE for skill in table["skill"]])
    right.axhline(0, color=BLACK, linewidth=1)
    reach = 1.25 * float(table["skill"].abs().max()) or 1.0
    right.set_ylim(-reach, reach)
    right.set(
        xlabel="days ahead",
        ylabel="skill = 1 - RMSE / RMSE of persistence",
        title=f"Skill against persistence\n"
        f"overall {evaluation.overall.skill:+.3f} (95 % interval {low:+.3f} to {high:+.3f})",
    )
    right.set_axisbelow(True)
    right.grid(axis="y", alpha=0.25)
    return figure


def draw_importances(table: pd.DataFrame, forecast: Forecast) -> Figure:
    """Draw what each learner looks at."""
    features = list(dict.fromkeys(table["feature"]))
    figure = Figure(figsize=(10.2, max(3.0, 1.2 + 0.34 * len(features))), layout="constrained")
    axes = figure.subplots()
    bars = list(_bars(table))
    for position, (learner, weight, share) in enumerate(bars):
        height = 0.8 / len(bars)
        offset = (position - (len(bars) - 1) / 2) * height
        axes.barh(
            np.arange(len(features)) + offset,
            share,
            height,
            color=COLOURS[learner],
            label=f"{learner} (weight {weight:.2f})",
        )
    persistence = with_persistence(forecast.weights)["persistence"]
    axes.set_yticks(range(len(features)), features)
    axes.set_xlabel("share of importance (ridge: absolute coefficient; trees: number of splits)")
    axes.set_title(f"What the learners look at; persistence has weight {persistence:.2f}")
    axes.legend(loc="lower right", frameon=False)
    axes.set_axisbelow(True)
    axes.grid(axis="x", alpha=0.25)
    return figure


def _bars(table: pd.DataFrame) -> Iterator[tuple[str, float, np.ndarray]]:
    for learner, part in table.groupby("learner", sort=False):
        yield str(learner), float(part["weight"].iloc[0]), part["share"].to_numpy()
