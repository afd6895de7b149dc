"""The program. Imports nothing heavy, so that `--help` answers at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mlplatform.training.commandline import CommonOptions, make_parser, number, whole
from mlplatform.training.program import run_program

SIZES = (64, 96, 128)
FEWEST_SCENES = 40


@dataclass(frozen=True, kw_only=True)
class SceneOptions(CommonOptions):
    """What the user asked for.

    Attributes:
        scenes: How many are drawn; of these 15 % calibrate and 15 % measure.
        size: Their edge, in pixels.
        epochs: Times that each is seen.
        batch_size: Scenes of a step.
        learning_rate: The highest one; it falls to zero along a cosine.
    """

    scenes: int = 2000
    size: int = 96
    epochs: int = 20
    batch_size: int = 32
    learning_rate: float = 4e-3


def parse_options(arguments: Sequence[str]) -> SceneOptions:
    """Read the command line.

    Raises:
        UsageError: An option is unknown or out of range; the message names it.
        SystemExit: `--help` was asked for and has been printed.
    """
    parser = make_parser(
        "Train a small detector of circles, squares and triangles on drawn scenes, calibrate it and register it in "
        "MLflow.",
        name="object_detector",
    )
    add = parser.add_argument
    add("--scenes", type=whole(FEWEST_SCENES), default=2000, metavar="N", help="how many are drawn (%(default)s)")
    add("--size", type=int, choices=SIZES, default=96, help="their edge, in pixels (%(default)s)")
    add("--epochs", type=whole(1), default=20, metavar="N", help="times that each scene is seen (%(default)s)")
    add("--batch-size", type=whole(2), default=32, metavar="N", help="scenes of a step (%(default)s)")
    add("--learning-rate", type=number(1e-8, 1.0), default=4e-3, metavar="R", help="the highest (%(default)s)")
    return SceneOptions(**vars(parser.parse_args(arguments)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit status."""
    return run_program(parse_options, _load, arguments)


def _load() -> Callable[[SceneOptions], int]:
    from scene_run import run  # noqa: PLC0415 - PyTorch takes seconds to import; `--help` or a mistyped option should not

    return run
