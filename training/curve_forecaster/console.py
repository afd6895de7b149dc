"""Where the program speaks: standard output for people, or standard error when standard output carries JSON."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

WIDTH_WITHOUT_TERMINAL = 200

Advance = Callable[[str], None]


def open_console(*, as_json: bool = False) -> Console:
    """Make the console that tables and messages go to.

    Args:
        as_json: Whether standard output is kept for the JSON document.
    """
    stream = sys.stderr if as_json else sys.stdout
    width = None if stream.isatty() else WIDTH_WITHOUT_TERMINAL
    return Console(file=stream, highlight=False, soft_wrap=True, width=width)


@contextmanager
def progress(console: Console, total: int) -> Iterator[Advance]:
    """Show progress: a bar on a terminal, one plain line per step otherwise.

    Args:
        console: Where to.
        total: Number of steps.

    Yields:
        A function to call with the name of each step as it starts.
    """
    if not console.is_terminal:
        yield lambda step: console.print(f"… {step}", markup=False)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=total)
        started = 0

        def advance(step: str) -> None:
            nonlocal started
            bar.update(task, description=step, completed=started)
            started += 1

        yield advance
        bar.update(task, completed=total)
