"""Measure model serving against the servers that a user could pick instead; print tables and write JSON."""

import os
import signal
import sys
import tempfile
from contextlib import ExitStack
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console

from benchmarks.serving import environments, page, tables, wrk
from benchmarks.serving.backing import backing
from benchmarks.serving.contender import Contender
from benchmarks.serving.criteria import judge
from benchmarks.serving.environments import Environment, NotInstalledError
from benchmarks.serving.options import RESULTS, Options, parse
from benchmarks.serving.peers import make_peers
from benchmarks.serving.platform import NAME, Platform
from benchmarks.serving.run import Run
from benchmarks.serving.subjects import make_subjects

WIDTH = 170
"""Columns of what is written to a file."""
BUSY = 0.5
"""Load average above which the machine is not at rest."""


def main() -> int:
    """Run what was asked for and return 1 when a target is missed."""
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything started is stopped
    console = Console(stderr=options.json)
    if not console.is_terminal:
        console.width = WIDTH
    try:
        wrk.find()
    except wrk.WrkError as error:
        sys.exit(str(error))
    busy = os.getloadavg()[0]
    if busy > BUSY:
        console.print(f"[red]the machine is not at rest (load average {busy:.1f}): the figures will not tell much")
    peers = _chosen(make_peers(), options)
    installed, missing = _install(peers, options, console)
    peers = [peer for peer in peers if peer.requirements in installed]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mlp-bench-serving-")))
        subjects = make_subjects(folder / "models")
        platform = None
        if _is_chosen(NAME, options):
            platform = Platform(stack.enter_context(backing(options.stack_env, console.print)))
            stack.callback(platform.clean)
        run = Run(
            options,
            subjects=subjects,
            installed=installed,
            platform=platform,
            folder=folder,
            report=console.print,
        )
        result = run.measure(peers) | {"not_installed": missing, "load_average_before": busy}
    result["targets"] = judge(result)
    _write(result, options, console)
    return int(any(target["passed"] is False for target in result["targets"]))


def _write(result: dict[str, Any], options: Options, console: Console) -> None:
    text = orjson.dumps(result, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    if options.output is not None:
        options.output.parent.mkdir(exist_ok=True, parents=True)
        options.output.write_bytes(text)
        console.print(f"written to {os.path.relpath(options.output)}")
    if options.output == RESULTS:
        page.main()
    if options.json:
        sys.stdout.buffer.write(text)
        return
    for table in (tables.rates(result), tables.behaviour(result), tables.targets(result)):
        console.print(table)
    for name, reason in tables.problems(result).items():
        console.print(f"[red]{name}[/] is missing: {reason}")


def _chosen(peers: list[Contender], options: Options) -> list[Contender]:
    """Return the peers that were asked for.

    Raises:
        SystemExit: a name fits nobody.
    """
    names = [*(peer.name for peer in peers), NAME]
    for pattern in options.contenders:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise SystemExit(f"--contenders: {pattern!r} is none of: {', '.join(names)}")
    return [peer for peer in peers if _is_chosen(peer.name, options)]


def _is_chosen(name: str, options: Options) -> bool:
    return not options.contenders or any(fnmatchcase(name, pattern) for pattern in options.contenders)


def _install(
    peers: list[Contender], options: Options, console: Console
) -> tuple[dict[str, Environment], dict[str, str]]:
    """Make the environments one after the other; return those that are ready, and why others are not."""
    installed: dict[str, Environment] = {}
    missing: dict[str, str] = {}
    for name in dict.fromkeys(peer.requirements for peer in peers if peer.requirements):
        try:
            installed[name] = environments.ensure(name, options.home / "environments", console.print)
        except NotInstalledError as error:
            missing[name] = str(error)
            console.print(f"[red]{name}[/] cannot be installed: {error}")
    return installed, missing


if __name__ == "__main__":
    sys.exit(main())
