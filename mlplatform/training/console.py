"""Where a training program speaks: standard output, or standard error when standard output carries JSON."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

WIDTH_WITHOUT_TERMINAL = 200

Advance = Callable[[int], None]
Begin = Callable[[str, int], Advance]
"""Starts a step of so many parts, and returns what to call as they are done."""


def open_console(*, as_json: bool = False) -> Console:
    """Make the console that tables and messages go to.

    Args:
        as_json: Whether standard output is kept for the JSON document.
    """
    stream = sys.stderr if as_json else sys.stdout
    width = None if stream.isatty() else WIDTH_WITHOUT_TERMINAL
    return Console(file=stream, highlight=False, soft_wrap=True, width=width)


@contextmanager
def progress(console: Console) -> Iterator[Begin]:
    """Show progress: a bar for each step on a terminal, one plain line per step otherwise.

    Args:
        console: Where to.
    """
    if not console.is_terminal:

        def say(step: str, total: int) -> Advance:
            console.print(f"… {step} ({total})", markup=False)
            return lambda _: None

        yield say
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bars:

        def show(step: str, total: int) -> Advance:
            task = bars.add_task(step, total=total)
            return lambda done: bars.advance(task, done)

        yield show
