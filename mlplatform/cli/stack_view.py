"""How the stack's commands look on a terminal, and as plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.table import Table

if TYPE_CHECKING:
    from mlplatform.stack.doctor import Finding
    from mlplatform.stack.status import ProcessStatus

MIB = 1024**2
MINUTE, HOUR, DAY = 60, 3600, 86400
COLORS = {
    "healthy": "green", "unhealthy": "red", "stopped": "yellow",
    "ok": "green", "warning": "yellow", "failure": "red",
}  # fmt: skip


@contextmanager
def reporter(console: Console) -> Iterator[Callable[[str, str], None]]:
    """Yield what to tell about each part: a table that changes on a terminal, a line for each news elsewhere."""
    started = time.monotonic()
    if not console.is_terminal:
        yield lambda part, message: console.print(f"{part}: {message} ({time.monotonic() - started:.1f} s)")
        return
    news: dict[str, tuple[str, float]] = {}
    with Live(console=console, transient=False) as live:

        def tell(part: str, message: str) -> None:
            news[part] = (message, time.monotonic() - started)
            live.update(progress_table(news))

        yield tell


def progress_table(news: Mapping[str, tuple[str, float]]) -> Table:
    """Return the last news of each part and when it came."""
    table = Table(box=None, show_header=False)
    for part, (message, seconds) in news.items():
        table.add_row(part, colored(message), f"{seconds:.1f} s")
    return table


def urls_table(environment: Mapping[str, str]) -> Table:
    """Return where users find each part."""
    table = Table(box=None, show_header=False)
    table.add_row("MLflow", environment["ML_MLFLOW_URL"])
    for name in ("serving", "embedding", "search"):
        table.add_row(name, f"{environment[f'ML_{name.upper()}_URL']}/docs")
    return table


def status_table(parts: Sequence["ProcessStatus"]) -> Table:
    """Return one row for each part, and the memory of all of them."""
    table = Table("part", "health", "pid", "memory", "up for", "address")
    for part in parts:
        note = f"{part.url or ''} {part.reason[:120]}".strip()
        memory = f"{part.rss / MIB:.0f} MiB" if part.rss else ""
        table.add_row(part.name, colored(part.health), str(part.pid or ""), memory, age(part.uptime), note)
    table.add_section()
    table.add_row("all", "", "", f"{sum(part.rss for part in parts) / MIB:.0f} MiB", "", "")
    return table


def doctor_table(findings: Sequence["Finding"]) -> Table:
    """Return one row for each check, with what to do about it."""
    table = Table("check", "status", "found", "to mend it")
    for finding in findings:
        table.add_row(finding.check, colored(finding.status), finding.detail, finding.remedy)
    return table


def colored(word: str) -> str:
    """Return a word in the color of what it says."""
    color = COLORS.get(word)
    return f"[{color}]{word}[/]" if color else word


def age(seconds: float) -> str:
    """Return a duration in its largest whole unit."""
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds else ""
