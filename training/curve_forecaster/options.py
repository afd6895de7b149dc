"""The command line. Imports nothing heavy, so that `--help` answers at once."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlplatform.training.commandline import LARGEST_SEED, Parser, named, whole

CURVE_TYPES = ("yield", "commodity", "fx")
MODEL_TYPES = ("ridge", "lightgbm", "random_forest", "ensemble")
MINIMUM_LOOKBACK = 3


@dataclass(frozen=True)
class Options:
    """What the user asked for.

    Attributes:
        curve_type: One of `CURVE_TYPES`.
        model_type: One of `MODEL_TYPES`.
        data: CSV file of curves; simulated when None.
        tune: Trials of the hyper-parameter search; 0 for none.
        seed: Seed of the simulator, the learners, the search and the bootstrap.
        dry_run: Log and register nothing.
        lookback: Days of history that a forecast needs.
        horizons: Days ahead, ascending.
        folds: Blocks of days that are scored.
        rows: Days to simulate, or the last days of the file to use; None for the default or all.
        experiment: MLflow experiment.
        model_name: Name to register under.
        as_json: Print one JSON document on standard output instead of tables.
    """

    curve_type: str
    model_type: str
    data: Path | None = None
    tune: int = 0
    seed: int = 7
    dry_run: bool = False
    lookback: int = 20
    horizons: tuple[int, ...] = tuple(range(1, 11))
    folds: int = 5
    rows: int | None = None
    experiment: str = "curve_forecaster"
    model_name: str = "curve_forecaster"
    as_json: bool = False


def parse_options(arguments: Sequence[str]) -> Options:
    """Read the command line.

    Raises:
        UsageError: An option is unknown, missing or out of range; the message names it.
        SystemExit: `--help` was asked for and has been printed.
    """
    return Options(**vars(_parser().parse_args(arguments)))


def _parser() -> Parser:
    parser = Parser(
        prog="train.py",
        description="Train a forecaster of daily curves, evaluate it walk-forward and register it in MLflow.",
        epilog="exit status: 0 done, 1 MLflow refused or every trial failed, 2 the data cannot be used, "
        "5 MLflow unreachable, 64 usage or settings, 130 interrupted",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--curve-type", required=True, choices=CURVE_TYPES, help="which curve; decides the simulator and the units")
    add("--model-type", required=True, choices=MODEL_TYPES, help="which learner; the ensemble weighs all of them")
    add("--data", type=Path, metavar="FILE", help="CSV with a Date column and one column per tenor (default: simulate)")
    add("--tune", type=whole(0), default=0, metavar="N", help="trials of the hyper-parameter search (default: none)")
    add("--seed", type=whole(0, LARGEST_SEED), default=7, metavar="S", help="same seed and data, same metrics (7)")
    add("--dry-run", action="store_true", help="train and evaluate; log and register nothing")
    add("--lookback", type=whole(MINIMUM_LOOKBACK), default=20, metavar="DAYS", help="history of a forecast (20)")
    add("--horizons", type=_horizons, default=Options.horizons, metavar="DAYS", help="1..10, or a list: 1,5,10 (1..10)")
    add("--folds", type=whole(1), default=5, metavar="N", help="blocks of days to score, in order of time (5)")
    add("--rows", type=whole(1), metavar="N", help="days to simulate (1000), or only the last N days of the file")
    add("--experiment", type=named, default=Options.experiment, metavar="NAME", help="MLflow experiment (%(default)s)")
    add("--model-name", type=named, default=Options.model_name, metavar="NAME", help="register as (%(default)s)")
    add("--json", dest="as_json", action="store_true", help="one JSON document on standard output, the rest on stderr")
    return parser


def _horizons(text: str) -> tuple[int, ...]:
    first, dots, last = text.partition("..")
    try:
        days = range(int(first), int(last) + 1) if dots else [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a range like 1..10 nor a list like 1,5,10") from None
    if not days or min(days) < 1 or len(set(days)) != len(days):
        raise argparse.ArgumentTypeError(f"{text!r} must name days ahead, each once and at least 1")
    return tuple(sorted(days))
