"""What `mlp spaces` prints."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from mlplatform.cli.owner import err, out

if TYPE_CHECKING:
    from mlplatform.spaces.indexes.building import Built
    from mlplatform.spaces.probes import Probe
    from mlplatform.spaces.space import SpaceRecord

STYLES = {"planned": "cyan", "building": "yellow", "active": "green", "standby": "blue", "retired": "dim"}


@contextmanager
def progress(*, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Show steps as bars on standard error, unless quiet."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, disable=quiet, transient=True) as bars:
        tasks: dict[str, Any] = {}

        def show(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step, total=total)
            bars.update(tasks[step], completed=done, total=max(done, total))

        yield show


def show_spaces(records: Sequence["SpaceRecord"]) -> None:
    """Print a line for each space."""
    table = Table("id", "state", "model", "version", "dimension", "filling", "index", "asked for by", "since")
    for record in records:
        table.add_row(
            str(record.id),
            f"[{STYLES[record.state.value]}]{record.state.value}[/]",
            record.model,
            record.version,
            "" if record.dimension is None else str(record.dimension),
            escape(filling_of(record)),
            escape(index_of(record)),
            escape(record.requested_by),
            f"{record.changed_at:%Y-%m-%d %H:%M:%S}",
        )
    out.print(table)


def show_space(record: "SpaceRecord", counted: dict[str, int] | None, nodes: Sequence[str]) -> None:
    """Print all that is known of a space."""
    lines = {
        "state": f"{record.state.value} since {record.changed_at:%Y-%m-%d %H:%M:%S} ({_age(record)})",
        "model": f"{record.model} version {record.version}",
        "weights": record.digest or "not loaded yet",
        "dimension": "not known yet" if record.dimension is None else str(record.dimension),
        "asked for by": record.requested_by,
        "filling": filling_of(record),
    }
    if record.index is not None:
        lines["index"] = index_of(record)
    if record.note:
        lines["note"] = record.note
    if counted is not None:
        lines["items"] = ", ".join(f"{counted[name]:,} {name}" for name in ("covered", "lacking", "failed"))
        lines["nodes"] = ", ".join(nodes) or "none has its model in memory"
    for name, value in lines.items():
        out.print(f"{name:>12}  {value}", markup=False)


def filling_of(record: "SpaceRecord") -> str:
    """Say how far the filling of a space is."""
    fill = record.fill
    if fill is None or record.state.value == "active":
        return ""
    if fill.problem:
        return f"problem: {fill.problem}"
    if record.state.value == "planned":
        return "waits for a node to load its model"
    if fill.complete_at is not None:
        return f"complete at {fill.complete_at:%H:%M:%S}, {fill.stored:,} stored"
    return f"pass {fill.number}, {fill.seen:,} seen, {fill.stored:,} stored"


def index_of(record: "SpaceRecord") -> str:
    """Say whether the index of a space can be searched, and how far its build is."""
    index = record.index
    if index is None:
        return ""
    if index.build is not None:
        return f"{index.state.value}, being built: {index.build}"
    if index.state.value == "missing" and record.state.value == "building":
        return "built by the switch"
    return index.state.value


def show_built(space_id: int, built: "Built") -> None:
    """Print what a build of an index did."""
    done = "built anew" if built.anew else "built"
    helped = f"{built.workers} helped" if built.workers else "one process"
    size = f"{built.vectors:,} vectors in {built.memory / 2**20:,.0f} MiB"
    out.print(f"the index of space {space_id} is {done}: {size}, {helped}", markup=False)
    if built.needed > built.memory:
        needed = f"{built.needed / 2**20:,.0f} MiB"
        out.print(f"its graph takes about {needed}: with ML_INDEX_MEMORY above that it is built faster", markup=False)
    for notice in built.notices:
        out.print(f"Postgres says: {notice}", markup=False)


def show_probes(probes: Sequence["Probe"]) -> None:
    """Print what each probe found."""
    for probe in probes:
        mark = "[green]passed[/]" if probe.passed else "[red]failed[/]"
        out.print(f"{mark} {probe.name}: {escape(probe.finding)}")


def _age(record: "SpaceRecord") -> str:
    minutes = int((datetime.now(UTC) - record.changed_at).total_seconds() // 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"  # noqa: PLR2004 (two hours, in minutes)
