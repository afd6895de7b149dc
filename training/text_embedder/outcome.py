"""What a run found, as one document and as a table."""

from dataclasses import dataclass
from typing import Any

from mlplatform.registry.model_version import ModelVersion
from rich.console import Console
from rich.table import Table

from arguments import Arguments
from drawing import LABELS
from judged import Judged
from ranking import MEASURES, Gain, Quality


@dataclass(frozen=True)
class Outcome:
    """What a run found.

    Attributes:
        arguments: What the user asked for.
        start: The version that it started from.
        judged: What it was trained and measured on.
        pairs: Judged pairs that were trained on.
        source: Where negatives came from.
        losses: Of each step.
        before: Of the version that it started from.
        after: Of the trained model.
        change: What came of it.
    """

    arguments: Arguments
    start: ModelVersion
    judged: Judged
    pairs: int
    source: str
    losses: tuple[float, ...]
    before: Quality
    after: Quality
    change: Gain

    def params(self) -> dict[str, str]:
        """Return the parameters of the run by name."""
        asked, judged = self.arguments, self.judged
        values = {
            "start": f"{self.start.name}:{self.start.version}",
            "collection": judged.name,
            "documents": len(judged.documents),
            "train_queries": len(judged.train.queries),
            "held_out_queries": len(judged.held_out.queries),
            "pairs": self.pairs,
            "steps": len(self.losses),
            "negatives": asked.negatives,
            "negatives_from": self.source,
            "epochs": asked.epochs,
            "batch_size": asked.batch_size,
            "learning_rate": asked.learning_rate,
            "max_tokens": asked.max_tokens,
            "seed": asked.seed,
        }
        return {name: str(value) for name, value in values.items()}

    def metrics(self) -> dict[str, float]:
        """Return the metrics of the run by name; those without a prefix are of the trained model."""
        before, after = self.before.means(), self.after.means()
        return {
            **after,
            **{f"before.{name}": value for name, value in before.items()},
            "gain.ndcg_at_10": self.change.mean,
            "gain.standard_error": self.change.error,
        }


def show_data(console: Console, start: ModelVersion, judged: Judged) -> None:
    """Say what is trained on."""
    console.print(
        f"{start.name} version {start.version} on {judged.name}: {len(judged.documents)} documents, "
        f"{len(judged.train.queries)} queries to train on, {len(judged.held_out.queries)} held out",
        markup=False,
    )


def show_quality(console: Console, outcome: Outcome) -> None:
    """Print the measures before and after."""
    before, after = outcome.before.means(), outcome.after.means()
    table = Table(title=f"On {len(outcome.judged.held_out.queries)} held-out queries", title_justify="left")
    for column in ("", "before", "after", "change"):
        table.add_column(column, justify="left" if not column else "right")
    for name in MEASURES:
        table.add_row(LABELS[name], f"{before[name]:.4f}", f"{after[name]:.4f}", f"{after[name] - before[name]:+.4f}")
    console.print(table)
    change = outcome.change
    console.print(
        f"nDCG@10 {change.mean:+.4f} with a standard error of {change.error:.4f}: {verdict(change)}. "
        f"{outcome.pairs} pairs, negatives from {outcome.source}, loss {outcome.losses[0]:.3f} → "
        f"{outcome.losses[-1]:.3f}",
        markup=False,
    )


def verdict(change: Gain) -> str:
    """Say whether the trained model is better."""
    if change.is_better:
        return "better"
    return "worse" if change.mean < -change.error else "no better"


def document(outcome: Outcome, version: ModelVersion | None, run_url: str | None) -> dict[str, Any]:
    """Return what `--json` prints."""
    return {
        "params": outcome.params(),
        "metrics": outcome.metrics(),
        "verdict": verdict(outcome.change),
        "registered": version and {"model": version.name, "version": version.version, "digest": version.digest},
        "run_url": run_url,
    }
