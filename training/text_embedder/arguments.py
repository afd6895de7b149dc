"""The command line. Imports nothing heavy, so that `--help` answers at once."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlplatform.training.commandline import LARGEST_SEED, Parser, named, number, whole


@dataclass(frozen=True)
class Arguments:
    """What the user asked for.

    Attributes:
        folder: Documents, queries and judgements in the layout of BEIR.
        model: Registered model to start from.
        version: Its version; None for the one in production.
        model_name: Name to register under; None for that of the model.
        held_out: Share of the queries that are never trained on, where the folder does not say which.
        entity_type: Kind under which the documents are in the search index; None for that of `mlp search eval`, if it
            is there.
        negatives: Hard negatives of each pair.
        pairs: Most judged pairs to train on.
        epochs: Times that each pair is seen.
        batch_size: Pairs that are told apart at a time.
        learning_rate: The highest one; it rises to it over the first tenth of the steps and falls to zero.
        max_tokens: Tokens of a text that are read while training; the registered model reads as many as before.
        seed: Of the split, the choice of pairs and negatives, and dropout.
        register_anyway: Register a model that is no better too.
        dry_run: Log and register nothing.
        experiment: MLflow experiment.
        as_json: Print one JSON document on standard output instead of tables.
    """

    folder: Path
    model: str = "text-embedder"
    version: str | None = None
    model_name: str | None = None
    held_out: float = 0.3
    entity_type: str | None = None
    negatives: int = 1
    pairs: int = 600
    epochs: int = 1
    batch_size: int = 16
    learning_rate: float = 2e-5
    max_tokens: int = 128
    seed: int = 7
    register_anyway: bool = False
    dry_run: bool = False
    experiment: str = "text_embedder"
    as_json: bool = False

    @property
    def registered_name(self) -> str:
        """Name to register under."""
        return self.model_name or self.model


def parse_arguments(arguments: Sequence[str]) -> Arguments:
    """Read the command line.

    Raises:
        UsageError: An option is unknown, missing or out of range; the message names it.
        SystemExit: `--help` was asked for and has been printed.
    """
    return Arguments(**vars(_parser().parse_args(arguments)))


def _parser() -> Parser:
    parser = Parser(
        prog="train.py",
        description="Fine-tune a registered embedding model on judged pairs, measure it on held-out queries before and "
        "after, and register it when it is better.",
        epilog="exit status: 0 registered, 1 MLflow or the index refused, 2 the data cannot be used, 3 no better "
        "and not registered, 5 MLflow unreachable, 64 usage or settings, 130 interrupted",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("folder", type=Path, metavar="DIR", help="corpus.jsonl, queries.jsonl and qrels/test.tsv, perhaps train.tsv")
    add("--model", type=named, default=Arguments.model, help="registered model to start from (%(default)s)")
    add("--version", type=_version, metavar="N", help="of that model (the one in production)")
    add("--model-name", type=named, metavar="NAME", help="register as a version of this (the model started from)")
    add("--held-out", type=number(0.05, 0.9), default=0.3, metavar="SHARE", help="of queries not split (%(default)s)")
    add("--entity-type", metavar="KIND", help="mine negatives from these items (eval-DIR if there, else the model)")
    add("--negatives", type=whole(0, 8), default=1, metavar="N", help="hard negatives of each pair (%(default)s)")
    add("--pairs", type=whole(1), default=600, metavar="N", help="most judged pairs to train on (%(default)s)")
    add("--epochs", type=whole(1), default=1, metavar="N", help="times that each pair is seen (%(default)s)")
    add("--batch-size", type=whole(2), default=16, metavar="N", help="pairs told apart at a time (%(default)s)")
    add("--learning-rate", type=number(1e-8, 1.0), default=2e-5, metavar="R", help="the highest (%(default)s)")
    add("--max-tokens", type=whole(8), default=128, metavar="N", help="of a text while training (%(default)s)")
    add("--seed", type=whole(0, LARGEST_SEED), default=7, metavar="S", help="of split and order (%(default)s)")
    add("--register-anyway", action="store_true", help="register it when it is no better, too")
    add("--dry-run", action="store_true", help="train and measure; log and register nothing")
    add("--experiment", type=named, default=Arguments.experiment, metavar="NAME", help="MLflow's (%(default)s)")
    add("--json", dest="as_json", action="store_true", help="one JSON document on standard output, the rest on stderr")
    return parser


def _version(text: str) -> str:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not the number of a version")
    return text
