"""The program. Imports nothing heavy, so that `--help` answers at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlplatform.training.commandline import CommonOptions, make_parser
from mlplatform.training.program import run_program


@dataclass(frozen=True, kw_only=True)
class TextOptions(CommonOptions):
    """What the user asked for.

    Attributes:
        file: CSV with a header, or JSONL.
        text: Its column with the text.
        label: Its column with the class.
        encoder: Folder of a model of Sentence Transformers; None for the one that the platform brings.
    """

    file: Path
    text: str = "text"
    label: str = "label"
    encoder: Path | None = None


def parse_options(arguments: Sequence[str]) -> TextOptions:
    """Read the command line.

    Raises:
        UsageError: An option is unknown or out of range; the message names it.
        SystemExit: `--help` was asked for and has been printed.
    """
    parser = make_parser(
        "Train a classifier of texts: sentence embeddings and a linear layer, calibrated and registered in MLflow.",
        name="text_classifier",
    )
    add = parser.add_argument
    add("file", type=Path, metavar="FILE", help="CSV with a header, or JSONL: a text and its class in each line")
    add("--text", default="text", metavar="COLUMN", help="column with the text (%(default)s)")
    add("--label", default="label", metavar="COLUMN", help="column with the class (%(default)s)")
    add("--encoder", type=Path, metavar="DIR", help="a model of Sentence Transformers (default: all-MiniLM-L6-v2)")
    return TextOptions(**vars(parser.parse_args(arguments)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit status."""
    return run_program(parse_options, _load, arguments)


def _load() -> Callable[[TextOptions], int]:
    from text_run import run  # noqa: PLC0415 - PyTorch takes seconds to import; `--help` or a mistyped option should not

    return run
