"""`mlp up`, `down`, `status`, `logs`, `doctor` and `reset`: the embedded stack of this project."""

import dataclasses
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from mlplatform.cli.stack_view import doctor_table, reporter, status_table, urls_table

if TYPE_CHECKING:
    from mlplatform.stack import Home, Stack

# Off a terminal there is no width to fit into, and a shortened address is no address.
out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 200)
err = Console(stderr=True, highlight=False, soft_wrap=True)

FAILED = 1
USAGE = 64

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def up() -> None:
    """Start whatever does not run, wait until all of it is healthy, and print where it is."""
    with _stack() as stack, reporter(out) as report:
        environment = stack.up(report)
    out.print(urls_table(environment))
    out.print("next: make demo, or train a model:")
    out.print("  cd training/curve_forecaster && python train.py --curve-type yield --model-type ensemble")


def down() -> None:
    """Stop everything; the data stays."""
    with _stack() as stack:
        stack.down(lambda part, message: out.print(f"{part}: {message}"))
    out.print("stopped; the data stays, and mlp up brings it back")


def status(*, as_json: Json = False) -> None:
    """Show every part: its process, health, memory, age and address; exits with 1 unless all are healthy."""
    with _stack() as stack:
        parts = stack.processes()
    if as_json:
        out.print_json(json.dumps([dataclasses.asdict(part) for part in parts]))
    elif parts:
        out.print(status_table(parts))
    else:
        out.print("never started here; run: mlp up")
    if not parts or any(part.health != "healthy" for part in parts):
        raise typer.Exit(FAILED)


def logs(
    service: Annotated[str, typer.Argument(help="A part, as mlp status names it.")],
    *,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on while the log grows.")] = False,
    lines: Annotated[int, typer.Option("-n", "--lines", min=0, help="How many of the last lines.")] = 100,
) -> None:
    """Show the end of a log."""
    from mlplatform.stack.files import read_tail  # noqa: PLC0415 - see _home
    from mlplatform.stack.follow import follow as followed  # noqa: PLC0415 - see _home

    home = _home()
    known = sorted(path.stem for path in home.logs.glob("*.log"))
    if service not in known:
        err.print(f"no log of '{service}'; there are: {', '.join(known) or 'none, run mlp up first'}", markup=False)
        raise typer.Exit(USAGE)
    if not follow:
        typer.echo(read_tail(home.log(service), lines))
        return
    try:
        for text in followed(home.log(service), lines):
            typer.echo(text)
    except KeyboardInterrupt:
        raise typer.Exit from None


def doctor(*, as_json: Json = False) -> None:
    """Check this machine and say how to mend what is wrong; exits with 1 when the stack cannot run."""
    from mlplatform.stack.doctor import examine  # noqa: PLC0415 - see _home

    findings = examine(_home(), _environment(_home()))
    if as_json:
        out.print_json(json.dumps([dataclasses.asdict(finding) for finding in findings]))
    else:
        out.print(doctor_table(findings))
    if any(finding.status == "failure" for finding in findings):
        raise typer.Exit(FAILED)


def reset(*, yes: Annotated[bool, typer.Option("--yes", help="Really delete.")] = False) -> None:
    """Stop everything and delete all of its data: runs, models, indexed text, passwords."""
    if not yes:
        err.print("this deletes every run, model and indexed text of this stack; to do it: mlp reset --yes")
        raise typer.Exit(USAGE)
    with _stack() as stack:
        stack.reset(lambda part, message: out.print(f"{part}: {message}"))
    out.print(f"deleted {stack.home.root}", markup=False)


def register(app: typer.Typer) -> None:
    """Add the commands to `mlp` itself."""
    for command in (up, down, status, logs, doctor, reset):
        app.command()(command)


@contextmanager
def _stack() -> Iterator["Stack"]:
    from mlplatform.stack import Stack, StackError  # noqa: PLC0415 - see _home

    home = _home()
    try:
        yield Stack(home.root, _environment(home))
    except StackError as failure:
        err.print(str(failure), markup=False, style="red")
        raise typer.Exit(FAILED) from None


def _home() -> "Home":
    # Imported here: it loads the clients of every store, and `mlp --help` must answer at once.
    try:
        from mlplatform.stack import find_home  # noqa: PLC0415 - reason above
    except ModuleNotFoundError as missing:
        err.print(f"{missing.name} is not installed; run: make install", markup=False)
        raise typer.Exit(FAILED) from None
    return find_home(os.environ, Path.cwd())


def _environment(home: "Home") -> dict[str, str]:
    """Return the user's settings: the `.env` beside the stack's folder, and above it the environment."""
    from dotenv import dotenv_values  # noqa: PLC0415 - see _home

    written = {name: value for name, value in dotenv_values(home.directory / ".env").items() if value is not None}
    return {**written, **os.environ}
