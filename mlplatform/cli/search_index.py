"""`mlp search index`: a file of items into the index, with progress, over broken connections."""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO
from uuid import uuid4

import typer
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn, TransferSpeedColumn
from rich.table import Table

from mlplatform.cli.options import Json
from mlplatform.cli.owner import FAILED, USAGE, err, fail, load_settings, out
from mlplatform.cli.serving_api import UNREACHABLE, credential

if TYPE_CHECKING:
    import httpx

PATH = "/api/v1/index/bulk"
CHUNK = 64 * 1024
TRIES = 10
PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 15.0
# Longer than the service itself waits for Postgres with a batch, while it neither reads nor answers.
SILENCE_SECONDS = 120.0
POLL_SECONDS = 0.5
SHOWN_ERRORS = 20
BUSY = frozenset({429, 503})
INTERRUPTED = "interrupted"
STDIN = Path("-")


@dataclass
class Report:
    """What the service told of an upload.

    Attributes:
        key: Its name.
        last: The latest acknowledgement; the final one has a status.
        wrong: The wrong lines, with what is wrong.
    """

    key: str
    last: dict[str, Any] = field(default_factory=dict)
    wrong: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_final(self) -> bool:
        """Whether the service said how it ended, for good."""
        return bool(self.last.get("status", INTERRUPTED) != INTERRUPTED)

    def add(self, line: str) -> None:
        """Take a line of the answer."""
        told = json.loads(line)
        if "line" in told:
            self.wrong.append(told)
        else:
            self.last = told


def register(app: typer.Typer) -> None:
    """Add the command to a group."""
    app.command()(index)


def index(
    file: Annotated[Path, typer.Argument(help="An item a line, as JSON; may end in .gz; - for standard input.")],
    *,
    key: Annotated[
        str | None, typer.Option("--key", help="Name of the upload; the one of an upload that broke off goes on there.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until nothing is left to embed.")] = False,
    as_json: Json = False,
) -> None:
    """Add the items of a file to the search index; exits with 1 when a line is wrong."""
    if file != STDIN and not file.is_file():
        fail(f"{file} is no file", USAGE)
    report = Report(key or f"mlp-{uuid4().hex}")
    _upload(file, report)
    if wait:
        _wait()
    if as_json:
        typer.echo(json.dumps({**report.last, "errors": report.wrong}))
    else:
        _show(report)
    if report.last["status"] != "complete" or report.last["failed"]:
        raise typer.Exit(FAILED)


def _upload(file: Path, report: Report) -> None:
    """Send the file until the service says how it ended; a broken connection goes on where it broke."""
    import httpx  # noqa: PLC0415 - `mlp --help` must answer at once

    for attempt in range(TRIES):
        try:
            with _open(file) as source:
                _send(file, source, report)
        except httpx.TransportError as error:
            if attempt == 0 and isinstance(error, httpx.ConnectError):
                fail(
                    f"The search service does not answer at {load_settings().search_url}. Is ML_SEARCH_URL right?",
                    UNREACHABLE,
                )
            problem = f"the connection broke ({type(error).__name__})"
        else:
            if report.is_final:
                return
            problem = "the service is busy or broke off"
        if file == STDIN:
            break  # what was read from it is gone
        pause = min(PAUSE_SECONDS * 2**attempt, LONGEST_PAUSE_SECONDS)
        err.print(f"{problem}; going on in {pause:.0f} s", markup=False, style="yellow")
        time.sleep(pause)
    fail(
        f"The search service does not answer at {load_settings().search_url}. Stored so far: line"
        f" {report.last.get('acknowledged', 0)}. To go on: mlp search index {file} --key {report.key}",
        UNREACHABLE,
    )


def _send(file: Path, source: BinaryIO, report: Report) -> None:
    import httpx  # noqa: PLC0415 - `mlp --help` must answer at once

    headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": report.key} | credential()
    if file.suffix == ".gz":
        headers["Content-Encoding"] = "gzip"
    timeout = httpx.Timeout(SILENCE_SECONDS, connect=PAUSE_SECONDS * 5)
    with (
        httpx.Client(timeout=timeout, trust_env=False) as client,
        _progress() as progress,
        client.stream("POST", _url(PATH), content=_shown(source, file, progress), headers=headers) as answer,
    ):
        if answer.status_code in BUSY:
            return
        if not answer.is_success:
            answer.read()
            fail(_problem(answer))
        for line in answer.iter_lines():
            report.add(line)


def _shown(source: BinaryIO, file: Path, progress: Progress) -> Iterator[bytes]:
    """Yield the content of the file and show how much of it was sent."""
    task = progress.add_task("sending", total=None if file == STDIN else file.stat().st_size)
    while chunk := source.read(CHUNK):
        yield chunk
        progress.advance(task, len(chunk))
    progress.update(task, description="storing")


def _open(file: Path) -> BinaryIO:
    return sys.stdin.buffer if file == STDIN else file.open("rb")


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, TimeElapsedColumn(), console=err)


def _wait() -> None:
    import httpx  # noqa: PLC0415 - `mlp --help` must answer at once

    with err.status("embedding"), httpx.Client(timeout=SILENCE_SECONDS, trust_env=False) as client:
        while True:
            try:
                answer = client.get(_url("/api/v1/index/states"), headers=credential())
            except httpx.TransportError as error:
                fail(f"The search service does not answer: {type(error).__name__}", UNREACHABLE)
            if answer.status_code not in BUSY:
                if not answer.is_success:
                    fail(_problem(answer))
                if not answer.json()["pending"]:
                    return
            time.sleep(POLL_SECONDS)


def _show(report: Report) -> None:
    last = report.last
    out.print(f"{last['stored']:,} items stored, {last['failed']:,} lines wrong", markup=False)
    if last["status"] != "complete":
        err.print(f"stopped after line {last['acknowledged']}: {last['reason']}", markup=False, style="red")
    if report.wrong:
        table = Table("line", "field", "what is wrong")
        for wrong in report.wrong[:SHOWN_ERRORS]:
            for error in wrong["errors"]:
                table.add_row(str(wrong["line"]), escape(error["field"]), escape(error["message"]))
        out.print(table)
    if len(report.wrong) > SHOWN_ERRORS:
        out.print(f"and {len(report.wrong) - SHOWN_ERRORS:,} more wrong lines: --json lists them", markup=False)


def _url(path: str) -> str:
    return f"{str(load_settings().search_url).rstrip('/')}{path}"


def _problem(answer: "httpx.Response") -> str:
    try:
        detail = str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"The search service answered {answer.status_code}."
    if answer.status_code in {401, 403}:
        detail += "\nSet ML_TOKEN (mlp token --role publisher) or ML_API_KEY."
    return detail
