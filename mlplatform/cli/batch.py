"""`mlp batch`: many items scored by workers, through the serving service."""

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mlplatform.cli import batch_files as files
from mlplatform.cli.options import Json
from mlplatform.cli.owner import FAILED, USAGE, err, fail, out
from mlplatform.cli.serving_api import TIMEOUT_SECONDS, UNREACHABLE, call, quoted, refuse, send, unreachable

app = typer.Typer(help="Batch jobs: submit, watch, fetch, webhook-key.", no_args_is_help=True)

Job = Annotated[str, typer.Argument(help="The id of a job.")]
ENDED = frozenset({"completed", "failed", "cancelled"})
AWAY = frozenset({429, 502, 503, 504})
LOOK_SECONDS = 0.5
PATIENCE_SECONDS = 120.0
"""How long the service may be away while a job is watched."""
PAGE = 1000
TABLE = "table"
"""Kind of the jobs whose results are one file."""
State = dict[str, Any]


@app.command()
def submit(
    model: Annotated[str, typer.Argument(help="A registered model.")],
    inputs: Annotated[
        Path, typer.Argument(help="Items: a .json list, .jsonl with one a line, or .csv with a row each.")
    ],
    *,
    version: Annotated[str | None, typer.Option("--version", help="By number; else the one in production.")] = None,
    alias: Annotated[str | None, typer.Option("--alias", help="The version by alias.")] = None,
    param: Annotated[
        list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="A parameter of the model.")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option("--threshold", help="Results with less confidence go to the review queue.")
    ] = None,
    webhook: Annotated[str | None, typer.Option("--webhook", help="Where its end is posted to.")] = None,
    key: Annotated[str | None, typer.Option("--key", help="Sent again with this key, it makes no second job.")] = None,
    follow: Annotated[bool, typer.Option("--watch", help="Wait for its end.")] = False,
    as_json: Json = False,
) -> None:
    """Submit a job; it goes on whatever becomes of this command."""
    if version is not None and alias is not None:
        fail("Give --version or --alias, not both.", USAGE)
    given: State = {"version": version, "alias": alias, "threshold": threshold, "webhook": webhook}
    body: State = {"model": model, "inputs": files.read_items(inputs), "params": _params(param or [])}
    body |= {name: value for name, value in given.items() if value is not None}
    headers = {} if key is None else {"Idempotency-Key": key}
    job: State = call("POST", "batch", body=body, headers=headers).json()
    if follow:
        _conclude(_followed(job["id"], job), as_json=as_json)
    elif as_json:
        typer.echo(json.dumps(job))
    else:
        out.print(f"job {job['id']}: {job['items']:,} items with version {job['version']} of {model}", markup=False)
        out.print(f"next: mlp batch watch {job['id']}", markup=False, style="dim")


@app.command()
def watch(job: Job, *, as_json: Json = False) -> None:
    """Wait for the end of a job; exits with 1 unless every item succeeded."""
    _conclude(_followed(job, call("GET", quoted("jobs", job)).json()), as_json=as_json)


@app.command()
def fetch(
    job: Job,
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A .jsonl or .csv file (.parquet too for tables); else lines of JSON."),
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only the items that failed.")] = False,
    partial: Annotated[bool, typer.Option("--partial", help="What there is, though the job goes on.")] = False,
) -> None:
    """Fetch the results of a job, in the order of its items."""
    state: State = call("GET", quoted("jobs", job)).json()
    if state["state"] not in ENDED and not partial:
        fail(f"The job is {state['state']}. Wait with mlp batch watch {job}, or take what there is with --partial.")
    if state["kind"] == TABLE and not failed:  # only the rows that failed are listed
        _fetch_table(job, output)
        return
    results = _results(job, failed=failed)
    if output is None:
        for one in results:
            typer.echo(json.dumps(one, ensure_ascii=False))
        return
    count = files.write_results(output, results)
    err.print(f"{count:,} results in {output}", markup=False)


@app.command("webhook-key")
def webhook_key() -> None:
    """Print the key that the webhooks of your tenant are signed with; for those who may manage keys."""
    typer.echo(call("GET", "webhook-key").json()["key"])


def _followed(job: str, state: State) -> State:
    """Show a bar until the job has ended, through restarts of the service."""
    import httpx  # noqa: PLC0415 - `mlp --help` must answer at once

    path = quoted("jobs", job)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[failed]}"), console=err, transient=True) as progress:
        task = progress.add_task("", failed="")
        seen = time.monotonic()
        while True:
            progress.update(
                task,
                description=escape(state["state"]),
                total=state["items"],
                completed=state["succeeded"] + state["failed"] + state["cancelled"],
                failed=f"{state['failed']:,} failed" if state["failed"] else "",
            )
            if state["state"] in ENDED:
                return state
            time.sleep(LOOK_SECONDS)
            patient = time.monotonic() - seen < PATIENCE_SECONDS
            try:
                answer = send("GET", path)
            except httpx.TransportError as error:
                if not patient:
                    unreachable(path, error)
                progress.update(task, description="the service is away")
                continue
            if answer.status_code in AWAY and patient:
                continue
            refuse(answer)
            state, seen = answer.json(), time.monotonic()


def _conclude(state: State, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(state))
    else:
        counts = ", ".join(f"{state[name]:,} {name}" for name in ("succeeded", "failed", "cancelled") if state[name])
        out.print(f"job {state['id']} {state['state']}: {counts}", markup=False)
        if state["error"]:
            out.print(state["error"], markup=False)
        out.print(f"next: mlp batch fetch {state['id']} --output results.jsonl", markup=False, style="dim")
    if state["succeeded"] != state["items"]:
        raise typer.Exit(FAILED)


def _fetch_table(job: str, output: Path | None) -> None:
    import httpx  # noqa: PLC0415 - `mlp --help` must answer at once

    if output is None:
        fail("The results of a table are a file: name it with --output, ending in .parquet, .csv or .jsonl.", USAGE)
    form = files.table_form(output)
    path = quoted("jobs", job, f"results.{form}")
    try:
        answer = send("GET", path)
    except httpx.TransportError as error:
        unreachable(path, error)
    if not answer.is_redirect:
        refuse(answer)
    try:  # the address is that of the object store, which is told no credential of ours
        with httpx.stream("GET", answer.headers["location"], timeout=TIMEOUT_SECONDS, trust_env=False) as content:
            if not content.is_success:
                fail(f"The object store answered {content.status_code}.")
            size = files.write_content(output, content.iter_bytes())
    except httpx.TransportError as error:
        fail(f"The object store does not answer: {type(error).__name__}.", UNREACHABLE)
    err.print(f"{size:,} bytes in {output}", markup=False)


def _results(job: str, *, failed: bool) -> Iterator[State]:
    query: dict[str, str | int] = {"limit": PAGE} | ({"state": "failed"} if failed else {})
    while True:
        page = call("GET", quoted("jobs", job, "results"), query=query).json()
        yield from page["results"]
        if page["next_cursor"] is None:
            return
        query["cursor"] = page["next_cursor"]


def _params(given: Sequence[str]) -> dict[str, Any]:
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals):
            fail(f"--param: must be NAME=VALUE, is {text}", USAGE)
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found
