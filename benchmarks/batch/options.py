"""What the user asked for."""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "batch.json"
PARTS = ("table", "images", "first", "fairness")


@dataclass(frozen=True, slots=True)
class Options:
    """A run.

    Attributes:
        parts: What is measured.
        rounds: How often a job and its rival are measured, in turns.
        rows: Of the table.
        images: Files of a job.
        jobs: Whose first results are waited for.
        tenants: Who share the workers; one of them has the backlog.
        interval: Seconds between the jobs of two tenants.
        backlog: Jobs of 10,000 items that the one tenant has waiting.
        processes: Of the worker that score.
        quick: Whether the figures are of small jobs.
        stack_env: Settings of a stack that runs already.
        output: Where the JSON goes; None writes none.
        json: Whether JSON is printed and not tables.
    """

    parts: tuple[str, ...]
    rounds: int
    rows: int
    images: int
    jobs: int
    tenants: int
    interval: float
    backlog: int
    processes: int
    quick: bool
    stack_env: Path | None
    output: Path | None
    json: bool


def parse(arguments: list[str] | None = None) -> Options:
    """Read the command line; `--quick` changes the defaults, and what is given beside it still counts."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batch", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few minutes: small jobs and few of them")
    parser.add_argument("--parts", nargs="+", choices=PARTS, help="what is measured (everything)")
    parser.add_argument("--rounds", type=int, help="of a job and its rival, in turns (5; quick: 2)")
    parser.add_argument("--rows", type=int, help="of the table (1000000; quick: 50000)")
    parser.add_argument("--images", type=int, help="files of a job, 1000 at most (1000; quick: 100)")
    parser.add_argument("--jobs", type=int, help="whose first results are waited for (60; quick: 20)")
    parser.add_argument("--tenants", type=int, help="who share the workers (100; quick: 10)")
    parser.add_argument("--interval", type=float, default=0.1, help="seconds between the jobs of two tenants (0.1)")
    parser.add_argument("--backlog", type=int, help="jobs of 10,000 items that one tenant has waiting (10; quick: 2)")
    parser.add_argument("--processes", type=int, help="of the worker that score (one for each core)")
    parser.add_argument("--stack-env", type=Path, help="settings of a running stack; else one is started and deleted")
    parser.add_argument("--output", type=Path, help="where JSON is written; a whole run writes results/batch.json")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    given = parser.parse_args(arguments)

    def choose(name: str, usual: int, quick: int) -> int:
        value: int | None = getattr(given, name)
        return value if value is not None else quick if given.quick else usual

    parts = tuple(part for part in PARTS if part in (given.parts or PARTS))
    whole = not given.quick and parts == PARTS
    return Options(
        parts=parts,
        rounds=choose("rounds", 5, 2),
        rows=choose("rows", 1_000_000, 50_000),
        images=choose("images", 1000, 100),
        jobs=choose("jobs", 60, 20),
        tenants=choose("tenants", 100, 10),
        interval=given.interval,
        backlog=choose("backlog", 10, 2),
        processes=given.processes or os.cpu_count() or 1,
        quick=given.quick,
        stack_env=given.stack_env,
        output=given.output or (RESULTS if whole else None),
        json=given.json,
    )
