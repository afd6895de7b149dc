"""What `scripts/reindex_all.py` is told."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from services.embedding.reindexing.errors import USAGE

Engine = Literal["stream", "ray"]

EVERY = "all"
DESCRIPTION = """Embed the items that lack a vector of their text in a space.

It may be stopped and started again at any time: what is stored is not embedded again. To embed with another model,
make a space of it first (`mlp spaces create`, or a promotion)."""
EPILOG = """exit status: 0 nothing lacks a vector any more; 1 some do, or Postgres refused, and a further run goes on;
3 it cannot be begun as things are; 64 wrong arguments, settings, or a space or tenant that is not there"""


@dataclass(frozen=True)
class Options:
    """What to do.

    Attributes:
        entity: Kind of the items; None for all.
        batch_size: Items encoded and stored together, or sent in one go.
        engine: `stream` has the embedding nodes do it, `ray` a pool of actors.
        space: Number of the space; None for the one that is being filled, else the one that is searched.
        tenants: Whose items; empty for all.
        backlog: Items under way at most (stream).
        patience: Seconds without progress until it gives up (stream).
        shard_size: Items of a shard (ray).
        actors: Most actors at a time (ray).
        cpus: Cores of an actor (ray).
        gpus: Share of a GPU of an actor (ray).
        address: Of the cluster; None for one of this machine's own (ray).
        as_json: Print JSON for programs.
    """

    entity: str | None
    batch_size: int = 256
    engine: Engine = "stream"
    space: int | None = None
    tenants: tuple[str, ...] = ()
    backlog: int = 8192
    patience: float = 300.0
    shard_size: int = 10_000
    actors: int = 1
    cpus: float = 1.0
    gpus: float = 0.0
    address: str | None = None
    as_json: bool = False


def parse(arguments: Sequence[str]) -> Options:
    """Read the command line; wrong ones end the program with `USAGE`."""
    parser = _Parser(prog="reindex_all.py", description=DESCRIPTION, epilog=EPILOG)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--entity", required=True, help=f"kind of the items, or {EVERY}")
    parser.add_argument("--batch-size", type=_positive, default=Options.batch_size, help="items at once (%(default)s)")
    parser.add_argument("--engine", choices=("stream", "ray"), default=Options.engine, help="who embeds (%(default)s)")
    parser.add_argument("--space", type=_positive, help="default: the one that is being filled, else the one searched")
    parser.add_argument("--tenant", action="append", default=[], help="default: all; may be given again")
    parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON for programs")
    stream = parser.add_argument_group("stream")
    stream.add_argument("--backlog", type=_positive, default=Options.backlog, help="most items under way (%(default)s)")
    stream.add_argument("--patience", type=float, default=Options.patience, help="seconds without progress to wait")
    ray = parser.add_argument_group("ray")
    ray.add_argument("--shard-size", type=_positive, default=Options.shard_size, help="items of a shard (%(default)s)")
    ray.add_argument("--actors", type=_positive, default=Options.actors, help="most actors at a time (%(default)s)")
    ray.add_argument("--cpus-per-actor", type=float, default=Options.cpus, dest="cpus", help="cores (%(default)s)")
    ray.add_argument("--gpus-per-actor", type=float, default=Options.gpus, dest="gpus", help="GPUs (%(default)s)")
    ray.add_argument("--address", help="of a cluster, or auto; default: start one here")
    given = vars(parser.parse_args(list(arguments)))
    given["entity"] = None if given["entity"] == EVERY else given["entity"]
    given["tenants"] = tuple(given.pop("tenant"))
    return Options(**given)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override] # it ends the program as the other one does
        self.print_usage()
        self.exit(USAGE, f"{self.prog}: {message}\n")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number
