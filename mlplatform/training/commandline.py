"""Command lines of training programs. Imports nothing heavy, so that `--help` answers at once."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from mlplatform.training.failures import UsageError

LARGEST_SEED = 2**31 - 1
EPILOG = (
    "exit status: 0 done, 1 MLflow refused or the loss diverged, 2 the data cannot be used, 5 MLflow unreachable, "
    "64 usage or settings, 130 interrupted"
)


@dataclass(frozen=True, kw_only=True)
class CommonOptions:
    """What every training program can be asked for.

    Attributes:
        model_name: Name to register under.
        experiment: MLflow experiment.
        seed: Of everything that is drawn.
        dry_run: Log and register nothing.
        as_json: Print one JSON document on standard output instead of tables.
    """

    model_name: str
    experiment: str
    seed: int = 7
    dry_run: bool = False
    as_json: bool = False


class Parser(argparse.ArgumentParser):
    """A parser that raises instead of ending the process with a status of its own."""

    def error(self, message: str) -> NoReturn:
        """Refuse the command line.

        Raises:
            UsageError: Always.
        """
        raise UsageError(f"{message}. See: {self.prog} --help")


def make_parser(description: str, *, name: str) -> Parser:
    """Make a parser that knows the options of all programs.

    Args:
        description: What the program does.
        name: Experiment and registered model unless others are named.
    """
    parser = Parser(prog="train.py", description=description, epilog=EPILOG, allow_abbrev=False)
    add = parser.add_argument
    add("--model-name", type=named, default=name, metavar="NAME", help="register as (%(default)s)")
    add("--experiment", type=named, default=name, metavar="NAME", help="MLflow experiment (%(default)s)")
    add("--seed", type=whole(0, LARGEST_SEED), default=7, metavar="S", help="same seed and data, same metrics (7)")
    add("--dry-run", action="store_true", help="train and evaluate; log and register nothing")
    add("--json", dest="as_json", action="store_true", help="one JSON document on standard output, the rest on stderr")
    return parser


def whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """Return a reader of whole numbers within bounds."""
    bounds = f"at least {least}" if most is None else f"between {least} and {most}"

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
        if value < least or (most is not None and value > most):
            raise argparse.ArgumentTypeError(f"{text} is not {bounds}")
        return value

    return read


def number(least: float, most: float) -> Callable[[str], float]:
    """Return a reader of numbers within bounds."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text} is not between {least:g} and {most:g}")
        return value

    return read


def named(text: str) -> str:
    """Read the name of a model or an experiment."""
    if not text.strip() or "/" in text or ":" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not a name: it must not be empty or hold '/' or ':'")
    return text
