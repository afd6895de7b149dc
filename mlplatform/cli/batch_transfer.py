"""How `mlp batch` moves content that is too much for memory: a part at a time, beside a bar.

Imported by the commands that need it, since it loads the client and `mlp --help` must answer at once.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from mlplatform.cli import batch_files as files
from mlplatform.cli.owner import err, fail
from mlplatform.cli.serving_api import (
    TIMEOUT_SECONDS,
    UNREACHABLE,
    credential,
    problem_code,
    refuse,
    send,
    unreachable,
    url_of,
)

STORED_SECONDS = 600.0
"""How long the service may take to look at what was sent and to store it."""
WRITTEN_SECONDS = 120.0
"""How long the service may be away while a file with results is waited for."""
LOOK_SECONDS = 0.3
NOT_WRITTEN = "results_not_written"
AWAY = frozenset({429, 502, 503, 504})


class _Counted(httpx.SyncByteStream):
    """A body that tells how much of it was sent."""

    def __init__(self, body: httpx.SyncByteStream, bar: Progress, task: TaskID) -> None:
        self._body = body
        self._bar = bar
        self._task = task

    def __iter__(self) -> Iterator[bytes]:
        for part in self._body:
            yield part
            self._bar.advance(self._task, len(part))

    def close(self) -> None:
        self._body.close()


def upload(path: str, headers: dict[str, str], **content: Any) -> httpx.Response:  # noqa: ANN401 (of httpx)
    """Send files to the service, and return its answer; ends the command when it refuses or is away.

    Args:
        path: Below `/api/v1/`.
        headers: Besides the credential.
        content: `content`, or `files` and `data`, and `params`, as the client takes them.
    """
    timeout = httpx.Timeout(TIMEOUT_SECONDS, read=STORED_SECONDS)
    try:
        with httpx.Client(timeout=timeout, trust_env=False) as client, _bar("sending") as (bar, task):
            request = client.build_request("POST", url_of(path), headers=credential() | headers, **content)
            size = request.headers.get("content-length")
            bar.update(task, total=None if size is None else int(size))
            if isinstance(request.stream, httpx.SyncByteStream):
                request.stream = _Counted(request.stream, bar, task)
            answer = client.send(request)
    except httpx.TransportError as error:
        unreachable(path, error)
    refuse(answer)
    return answer


def download(path: str, output: Path | None) -> int:
    """Fetch a file with results as soon as it is written, to a file or to where the command prints; return its bytes.

    Args:
        path: Below `/api/v1/`.
        output: The file.
    """
    address = _address(path)
    try:  # the address is that of the object store, which is told no credential of ours
        with (
            httpx.stream("GET", address, timeout=TIMEOUT_SECONDS, trust_env=False) as content,
            _bar("fetching") as (bar, task),
        ):
            if not content.is_success:
                fail(f"The object store answered {content.status_code}.")
            size = content.headers.get("content-length")
            bar.update(task, total=None if size is None else int(size))
            parts = _shown(content.iter_bytes(), bar, task)
            if output is not None:
                return files.write_content(output, parts)
            written = sum(sys.stdout.buffer.write(part) for part in parts)
            sys.stdout.buffer.flush()
            return written
    except httpx.TransportError as error:
        fail(f"The object store does not answer: {type(error).__name__}.", UNREACHABLE)


def _address(path: str) -> str:
    """Wait until a file is written, and return where it is."""
    until = time.monotonic() + WRITTEN_SECONDS
    with err.status("a worker writes the file"):
        while True:
            try:
                answer = send("GET", path)
            except httpx.TransportError as error:
                if time.monotonic() > until:
                    unreachable(path, error)
            else:
                if answer.is_redirect:
                    return str(answer.headers["location"])
                if problem_code(answer) == NOT_WRITTEN:  # it may be queued behind a long call of a model
                    until = time.monotonic() + WRITTEN_SECONDS
                elif answer.status_code not in AWAY or time.monotonic() > until:
                    refuse(answer)
            time.sleep(LOOK_SECONDS)


def _shown(parts: Iterator[bytes], bar: Progress, task: TaskID) -> Iterator[bytes]:
    for part in parts:
        yield part
        bar.advance(task, len(part))


@contextmanager
def _bar(description: str) -> Iterator[tuple[Progress, TaskID]]:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        yield progress, progress.add_task(description, total=None)
