"""The program. Imports nothing heavy, so that `--help` answers at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlplatform.training.commandline import CommonOptions, make_parser, number, whole
from mlplatform.training.program import run_program

SIZES = (8, 16, 32, 64, 128)


@dataclass(frozen=True, kw_only=True)
class ImageOptions(CommonOptions):
    """What the user asked for.

    Attributes:
        folder: Has a folder of images for each class; None for the digits of scikit-learn.
        size: Edge that images are brought to, in pixels; None for what suits the data.
        gray: Whether colours are ignored.
        epochs: Times that each image is seen.
        batch_size: Images of a step.
        learning_rate: The highest one; it falls to zero along a cosine.
    """

    folder: Path | None = None
    size: int | None = None
    gray: bool = False
    epochs: int = 12
    batch_size: int = 64
    learning_rate: float = 3e-3


def parse_options(arguments: Sequence[str]) -> ImageOptions:
    """Read the command line.

    Raises:
        UsageError: An option is unknown or out of range; the message names it.
        SystemExit: `--help` was asked for and has been printed.
    """
    parser = make_parser(
        "Train a small convolutional network to classify images, calibrate it and register it in MLflow.",
        name="image_classifier",
    )
    add = parser.add_argument
    add("--folder", type=Path, metavar="DIR", help="a folder of images for each class (default: scikit-learn's digits)")
    add("--size", type=int, choices=SIZES, help="edge that images are brought to, in pixels (8 for digits, else 32)")
    add("--gray", action="store_true", help="ignore colours")
    add("--epochs", type=whole(1), default=12, metavar="N", help="times that each image is seen (%(default)s)")
    add("--batch-size", type=whole(2), default=64, metavar="N", help="images of a step (%(default)s)")
    add("--learning-rate", type=number(1e-8, 1.0), default=3e-3, metavar="R", help="the highest (%(default)s)")
    return ImageOptions(**vars(parser.parse_args(arguments)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit status."""
    return run_program(parse_options, _load, arguments)


def _load() -> Callable[[ImageOptions], int]:
    from image_run import run  # noqa: PLC0415 - PyTorch takes seconds to import; `--help` or a mistyped option should not

    return run
