"""What the user asked for."""

import argparse
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from benchmarks.search.peers import PEERS
from benchmarks.search.service import NAME

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "search.json"
CONTENDERS = (NAME, *(peer.name for peer in PEERS))
ITEMS = (10_000, 100_000)
QUICK_ITEMS = (2_000,)
LEAST_ITEMS = 1_000


@dataclass(frozen=True, slots=True)
class Options:
    """A run.

    Attributes:
        items: The sizes that are measured.
        contenders: Who is measured.
        clients: Who ask at once.
        queries: Of each timing.
        recall_queries: Compared with the exact answers.
        single: Items that are waited for.
        bulk: Items of the file.
        seed: Of everything random.
        quick: Whether the figures are of few queries.
        keep: Whether the platform's databases are left for the next run.
        stack_env: Settings of a stack that runs already.
        home: For the environments and the data of the peers.
        output: Where the JSON goes; None writes none.
        json: Whether JSON is printed and not tables.
    """

    items: tuple[int, ...]
    contenders: tuple[str, ...]
    clients: int
    queries: int
    recall_queries: int
    single: int
    bulk: int
    seed: int
    quick: bool
    keep: bool
    stack_env: Path | None
    home: Path
    output: Path | None
    json: bool


def parse(arguments: list[str] | None = None) -> Options:
    """Read the command line; `--quick` changes the defaults, and what is given beside it still counts."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    parser.add_argument("--items", nargs="+", type=int, metavar="N", help="sizes (10000 100000; quick: 2000)")
    parser.add_argument("--quick", action="store_true", help="some minutes: few items and few queries")
    parser.add_argument("--contenders", nargs="+", metavar="NAME", help=f"of: {', '.join(CONTENDERS)}; * is allowed")
    parser.add_argument("--clients", type=int, default=4, help="who ask at once (4)")
    parser.add_argument("--queries", type=int, help="of each timing (400; quick: 60)")
    parser.add_argument("--recall-queries", type=int, help="compared with the exact answers (100; quick: 20)")
    parser.add_argument("--single", type=int, help="items that are waited for (200; quick: 20)")
    parser.add_argument("--bulk", type=int, help="items of the file (20000; quick: 2000)")
    parser.add_argument("--seed", type=int, default=7, help="of everything random (7)")
    parser.add_argument("--keep", action="store_true", help="leave the platform's databases for the next run")
    parser.add_argument("--stack-env", type=Path, help="settings of a running stack; else one is started and deleted")
    parser.add_argument("--home", type=Path, default=ROOT / ".bench", help="folder of the peers' environments (.bench)")
    parser.add_argument("--output", type=Path, help="where JSON is written; a whole run writes results/search.json")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    given = parser.parse_args(arguments)

    def choose(value: int | None, usual: int, quick: int) -> int:
        return value if value is not None else quick if given.quick else usual

    items = tuple(sorted(set(given.items or (QUICK_ITEMS if given.quick else ITEMS))))
    if items[0] < LEAST_ITEMS:
        parser.error(f"--items: at least {LEAST_ITEMS}, for indexes that are trained on the items")
    patterns = given.contenders or ["*"]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in CONTENDERS):
            parser.error(f"--contenders: {pattern!r} is none of: {', '.join(CONTENDERS)}")
    contenders = tuple(name for name in CONTENDERS if any(fnmatchcase(name, pattern) for pattern in patterns))
    whole = not given.quick and contenders == CONTENDERS
    return Options(
        items=items,
        contenders=contenders,
        clients=given.clients,
        queries=choose(given.queries, 400, 60),
        recall_queries=choose(given.recall_queries, 100, 20),
        single=choose(given.single, 200, 20),
        bulk=choose(given.bulk, 20_000, 2_000),
        seed=given.seed,
        quick=given.quick,
        keep=given.keep,
        stack_env=given.stack_env,
        home=given.home.absolute(),
        output=given.output or (RESULTS if whole else None),
        json=given.json,
    )
