"""What `mlp search` prints."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from mlplatform.cli.owner import err, out

if TYPE_CHECKING:
    from mlplatform.retrieval.tuning import Tuning

COLUMNS = {
    "nDCG@10": "ndcg_at_10",
    "recall@100": "recall_at_100",
    "MRR@10": "mrr_at_10",
    "p50 ms": "query_ms_p50",
    "p95 ms": "query_ms_p95",
    "incomplete": "incomplete_answers",
}


@contextmanager
def progress(*, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Show steps as bars on standard error, unless quiet."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, disable=quiet, transient=True) as bars:
        tasks: dict[str, Any] = {}

        def show(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step, total=total)
            bars.update(tasks[step], completed=done)

        yield show


def show_evaluation(summary: Mapping[str, Any], at_least: float) -> None:
    """Print the figures of each ranking."""
    table = Table("ranking", *COLUMNS, title=f"search on {summary['collection']}, {summary['queries']} queries")
    for ranking, figures in summary["rankings"].items():
        table.add_row(ranking, *(f"{figures[name]:.4g}" for name in COLUMNS.values()))
    out.print(table)
    first_page = summary["first_page_ndcg_at_10"]
    out.print(f"convex, asked for ten results: nDCG@10 {first_page:.4g}", markup=False)
    gain = summary["fused_against_better_leg"]
    if gain is not None:
        out.print(f"convex, weight {summary['weight']:g}, against the better leg: {gain:+.1%}", markup=False)
    if at_least:
        out.print(f"convex must reach nDCG@10 {at_least:g}", markup=False)
    if summary.get("run"):
        out.print(f"logged in MLflow as run {summary['run']}", markup=False)


def show_tuning(entity_type: str, found: "Tuning", means: Sequence[float], *, is_set: bool) -> None:
    """Print nDCG@10 by weight, and what became of the weight."""
    from mlplatform.retrieval.shares import WEIGHTS  # noqa: PLC0415 - `mlp --help` must answer at once

    table = Table("weight of vectors", "nDCG@10", "", title=f"{entity_type}, {found.queries} judged queries")
    for weight, mean in zip(WEIGHTS, means, strict=True):
        marks = [name for name, own in (("present", found.present), ("best", found.weight)) if own == weight]
        table.add_row(f"{weight:.2f}", f"{mean:.4f}", ", ".join(marks))
    out.print(table)
    gain = f"{found.gain_held_out:+.4f} ± {found.gain_error:.4f}"
    out.print(f"on queries that it was not chosen by, tuning gains {gain} nDCG@10", markup=False)
    if is_set:
        out.print(f"the weight of {entity_type} is {found.weight:g} now; it was {found.present:g}", markup=False)
    elif found.is_gain:
        out.print(f"the weight would be {found.weight:g}; nothing was changed", markup=False)
    else:
        out.print(f"the weight stays {found.present:g}", markup=False)


def show_language(settings: Mapping[str, Any]) -> None:
    """Print the language of a kind of items, and how many of them are not indexed in it yet."""
    language = settings["language"] or "that of each kind"
    out.print(f"{settings['entity_type']}: {language}", markup=False)
    if settings["waiting"]:
        out.print(f"{settings['waiting']:,} items wait to be indexed in it", markup=False)


def warn(message: str) -> None:
    """Say what did not work on standard error."""
    err.print(message, markup=False, style="yellow")
