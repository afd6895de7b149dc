"""What the user reads at the end of a run."""

from math import floor, log10
from typing import Any

from rich.console import Console
from rich.table import Table

from dataset import Dataset
from evaluate import Evaluation, Scores
from forecaster import CurveModel
from tracking import Registered
from tune import Search
from weights import with_persistence


def show_data(console: Console, dataset: Dataset) -> None:
    """Say what is trained on, and what of it was left out or is blank."""
    found = dataset.describe()
    console.print(
        f"{dataset.kind.title} from {found['source']}: {found['rows']} days, {found['first_day']} to "
        f"{found['last_day']}, {len(dataset.tenors)} tenors",
        markup=False,
    )
    notes = {
        "left out": found["left_out"],
        "blank before the first observation (days)": found["leading_blanks"],
        "blank later (days)": found["holes"],
        "days without any observation, left out": found["empty_days"],
    }
    for what, value in notes.items():
        if value not in {"none", "0"}:
            console.print(f"{what}: {value}", markup=False)


def show_search(console: Console, search: Search) -> None:
    """Say how the search for hyper-parameters went."""
    failed = [trial for trial in search.trials if trial.rmse is None]
    best = next(trial for trial in search.trials if trial.hyper == search.best and trial.rmse is not None)
    console.print(
        f"tuning: {len(search.trials)} trials, {len(failed)} failed; best is trial {best.number} with RMSE "
        f"{best.rmse:.4g} on days before the first fold"
    )
    for trial in failed:
        console.print(f"trial {trial.number} failed: {trial.error}", markup=False)


def show_errors(console: Console, dataset: Dataset, evaluation: Evaluation) -> None:
    """Print the table of errors and the skill with its interval."""
    title = f"Walk-forward errors on days not trained on ({dataset.kind.unit})"
    table = Table(title=title, title_justify="left")
    for column in ("days ahead", "RMSE", "MAE", "persistence RMSE", "skill", "observations"):
        table.add_column(column, justify="right")
    decimals = _decimals(evaluation.overall.persistence_rmse)
    for ahead, scores in evaluation.horizons.items():
        table.add_row(str(ahead), *_cells(scores, decimals))
    table.add_section()
    table.add_row("all", *_cells(evaluation.overall, decimals))
    console.print(table)
    low, high = evaluation.interval
    console.print(
        f"skill {evaluation.overall.skill:+.4f} (95 % interval {low:+.4f} to {high:+.4f}): {evaluation.verdict()}. "
        "Skill is 1 - RMSE / RMSE of holding the last curve."
    )


def show_weights(console: Console, model: CurveModel) -> None:
    """Print the weights that are served."""
    shares = ", ".join(f"{name} {weight:.2f}" for name, weight in with_persistence(model.weights).items() if weight)
    console.print(f"weights for serving: {shares}")


def show_registered(console: Console, registered: Registered) -> None:
    """Print where the run is and what to type next."""
    console.print(f"registered: {registered.version.name} version {registered.version.version}", markup=False)
    console.print(f"run: {registered.run_url}", markup=False)
    console.print(
        f"next: python ../../scripts/promote_model.py --model {registered.version.name} --stage Production",
        markup=False,
    )


def summary(
    dataset: Dataset, evaluation: Evaluation, model: CurveModel, registered: Registered | None
) -> dict[str, Any]:
    """Return what `--json` prints."""
    return {
        "data": dataset.describe(),
        "metrics": evaluation.metrics(),
        "verdict": evaluation.verdict(),
        "weights": with_persistence(model.weights),
        "registered": registered
        and {
            "model": registered.version.name,
            "version": registered.version.version,
            "digest": registered.version.digest,
        },
        "run_id": registered and registered.run_id,
        "run_url": registered and registered.run_url,
    }


def _cells(scores: Scores, decimals: int) -> list[str]:
    errors = (scores.rmse, scores.mae, scores.persistence_rmse)
    return [*(f"{error:.{decimals}f}" for error in errors), f"{scores.skill:+.4f}", f"{scores.observations:,}"]


def _decimals(error: float) -> int:
    """Return how many decimals show four digits of an error; at least four."""
    return max(4, 3 - floor(log10(error))) if error > 0 else 4
