"""Measure search: recall under filters, times of queries with several clients, indexing, beside other stores.

Prints tables and writes JSON. Exit code 1 when a target is missed.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console

from benchmarks.search import databases, page, tables
from benchmarks.search.criteria import judge
from benchmarks.search.options import RESULTS, Options, parse
from benchmarks.search.peers import PEERS, REQUIREMENTS
from benchmarks.search.run import Size
from benchmarks.serving import environments
from benchmarks.serving.backing import backing
from benchmarks.serving.environments import Environment, NotInstalledError

WIDTH = 200
"""Columns of what is written to a file."""


def main() -> int:
    """Run what was asked for and return 1 when a target is missed."""
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything started is stopped
    console = Console(stderr=options.json)
    if not console.is_terminal:
        console.width = WIDTH
    installed, missing = _install(options, console)
    result = _former(options.output)
    result["not_installed"] = missing
    with backing(options.stack_env, console.print) as settings, databases.redis(settings["ML_REDIS_URL"]) as redis:
        for items in options.items:
            console.print(f"[bold]{items:,} items[/]")

            def save(figures: dict[str, Any], items: int = items) -> None:
                result["sizes"][str(items)] = figures
                _write(result, options.output)

            own = {**settings, "ML_REDIS_URL": redis}
            size = Size(items, options, own, installed, console.print, save)
            save(size.measure())
    if options.json:
        sys.stdout.buffer.write(_text(result))
    else:
        _show(result, options, console)
    return int(any(target["passed"] is False for target in result["targets"]))


def _install(options: Options, console: Console) -> tuple[dict[str, Environment], dict[str, str]]:
    """Make the environments one after the other; return those that are ready, and why others are not."""
    installed: dict[str, Environment] = {}
    missing: dict[str, str] = {}
    for peer in PEERS:
        if peer.requirements is None or peer.name not in options.contenders:
            continue
        try:
            home = options.home / "environments"
            installed[peer.requirements] = environments.ensure(
                peer.requirements, home, console.print, requirements=REQUIREMENTS
            )
        except NotInstalledError as error:
            missing[peer.name] = str(error)
            console.print(f"[red]{peer.name}[/] cannot be installed: {error}")
    return installed, missing


def _former(output: Path | None) -> dict[str, Any]:
    """Return the sizes that were measured before: a run replaces those that it measures."""
    if output is None or not output.is_file():
        return {"sizes": {}}
    former: dict[str, Any] = orjson.loads(output.read_bytes())
    return former


def _write(result: dict[str, Any], output: Path | None) -> None:
    result["sizes"] = dict(sorted(result["sizes"].items(), key=lambda size: int(size[0])))
    result["targets"] = judge(result)
    if output is None:
        return
    output.parent.mkdir(exist_ok=True, parents=True)
    output.write_bytes(_text(result))
    if output == RESULTS:
        page.main()


def _text(result: dict[str, Any]) -> bytes:
    return orjson.dumps(result, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _show(result: dict[str, Any], options: Options, console: Console) -> None:
    for items in options.items:
        for table in tables.of_size(items, result["sizes"][str(items)]):
            console.print(table)
    console.print(tables.filled("Targets", tables.TARGET_HEADING, tables.targets(result)))
    for name, reason in tables.problems(result).items():
        console.print(f"[red]{name}[/] is missing: {reason}")
    if options.output is not None:
        console.print(f"written to {os.path.relpath(options.output)}")


if __name__ == "__main__":
    sys.exit(main())
