"""What the user asked for."""

import argparse
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"


@dataclass(frozen=True, slots=True)
class Options:
    """A run.

    Attributes:
        data: Collections in the layout of BEIR.
        stack_env: Settings of a stack that runs already.
        backend: What the service is to compute with.
        rounds: How often everybody is measured.
        texts: Of one round.
        quality: Whether nDCG is measured, which takes longest.
        infinity: Whether infinity-emb is measured.
        ladder: Whether each backend is measured by itself as well.
        home: For the environment of infinity-emb.
        output: Folder of the JSON.
    """

    data: tuple[Path, ...]
    stack_env: Path | None
    backend: str
    rounds: int
    texts: int
    quality: bool
    infinity: bool
    ladder: bool
    home: Path
    output: Path

    @property
    def kept(self) -> bool:
        """Whether the figures are those that the documentation shows."""
        return self.output == RESULTS


def parse(arguments: list[str] | None = None) -> Options:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.embedding", description=__doc__)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders in the layout of BEIR")
    parser.add_argument("--stack-env", type=Path, help="settings of a running stack; else one is started and deleted")
    parser.add_argument("--backend", default="auto", help="what the service is to compute with")
    parser.add_argument("--rounds", type=int, default=3, help="how often everybody is measured")
    parser.add_argument("--texts", type=int, default=320, help="texts of one round")
    parser.add_argument("--no-quality", dest="quality", action="store_false", help="skip nDCG, which takes longest")
    parser.add_argument("--no-infinity", dest="infinity", action="store_false", help="leave infinity-emb out")
    parser.add_argument("--no-ladder", dest="ladder", action="store_false", help="leave out each backend by itself")
    parser.add_argument("--home", type=Path, default=ROOT / ".bench", help="folder of environments (.bench)")
    parser.add_argument(
        "--output", type=Path, default=RESULTS, help="folder of the JSON; another one leaves the page be"
    )
    given = parser.parse_args(arguments)
    return Options(
        data=tuple(given.data),
        stack_env=given.stack_env,
        backend=given.backend,
        rounds=given.rounds,
        texts=given.texts,
        quality=given.quality,
        infinity=given.infinity,
        ladder=given.ladder,
        home=given.home.absolute(),
        output=given.output.resolve(),
    )
