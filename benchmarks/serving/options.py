"""What the user asked for."""

import argparse
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "serving.json"
PARTS = ("closed", "poison", "overload", "pairs", "duels", "floods", "promotion", "memory")
QUICK_CONTENDERS = ("mlflow", "mlflow uvloop", "kserve", "litserve", "ml-platform")


@dataclass(frozen=True, slots=True)
class Options:
    """A run.

    Attributes:
        rounds: How often every contender is measured.
        seconds: For each measurement.
        slices: Of each way of a pair.
        parts: What is measured.
        contenders: Who is measured; empty means all.
        quick: Whether the cells are only those of the targets.
        versions: To promote, and to roll back.
        stock_servers: To start for the memory of many models.
        bursts: Of good requests with a bad one among them.
        stack_env: Settings of a stack that runs already.
        home: For the environments of the peers.
        output: Where the JSON goes; None writes none.
        json: Whether JSON is printed and not tables.
    """

    rounds: int
    seconds: float
    slices: int
    parts: tuple[str, ...]
    contenders: tuple[str, ...]
    quick: bool
    versions: int
    stock_servers: int
    bursts: int
    stack_env: Path | None
    home: Path
    output: Path | None
    json: bool

    @property
    def whole(self) -> bool:
        """Whether nothing was left out, so that the figures may be kept."""
        return not self.quick and not self.contenders and set(self.parts) == set(PARTS)


def parse(arguments: list[str] | None = None) -> Options:
    """Read the command line; `--quick` changes the defaults, and what is given beside it still counts."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="some minutes: one round of the targets' cells")
    parser.add_argument("--rounds", type=int, help="how often every contender is measured (3; quick: 1)")
    parser.add_argument("--seconds", type=float, help="whole seconds for each measurement (4; quick: 2)")
    parser.add_argument("--slices", type=int, help="of each way that is compared in pairs (10; quick: 4)")
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=f"some of: {', '.join(PARTS)}")
    parser.add_argument("--contenders", nargs="+", metavar="NAME", help="some contenders; patterns with * are allowed")
    parser.add_argument("--versions", type=int, help="to promote and roll back (11; quick: 3)")
    parser.add_argument("--stock-servers", type=int, help="to start for the memory of 20 models (20; quick: 2)")
    parser.add_argument("--bursts", type=int, help="of 16 good requests with a bad one (100; quick: 30)")
    parser.add_argument("--stack-env", type=Path, help="settings of a running stack; else one is started and deleted")
    parser.add_argument("--home", type=Path, default=ROOT / ".bench", help="folder of the peers' environments (.bench)")
    parser.add_argument("--output", type=Path, help="where JSON is written; a whole run writes results/serving.json")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    given = parser.parse_args(arguments)

    def choose(value: float | None, usual: float, quick: float) -> float:
        return value if value is not None else quick if given.quick else usual

    options = Options(
        rounds=int(choose(given.rounds, 3, 1)),
        seconds=choose(given.seconds, 4, 2),
        slices=int(choose(given.slices, 10, 4)),
        parts=tuple(given.only or PARTS),
        contenders=tuple(given.contenders or (QUICK_CONTENDERS if given.quick else ())),
        quick=given.quick,
        versions=int(choose(given.versions, 11, 3)),
        stock_servers=int(choose(given.stock_servers, 20, 2)),
        bursts=int(choose(given.bursts, 100, 30)),
        stack_env=given.stack_env,
        home=given.home.absolute(),
        output=given.output,
        json=given.json,
    )
    if options.versions < 2:
        parser.error("--versions: at least 2, since the first one has no predecessor to be swapped for")
    if options.output is None and options.whole:
        return Options(**{name: getattr(options, name) for name in Options.__slots__} | {"output": RESULTS})
    return options
