"""`mlp batch`: many items scored by workers, through the serving service."""

import json
import time
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mlplatform.cli import batch_files as files
from mlplatform.cli.batch_cargo import TABLES, Cargo, choose, fields_of, opened, parts_of
from mlplatform.cli.options import Json
from mlplatform.cli.owner import FAILED, USAGE, err, fail, out
from mlplatform.cli.serving_api import call, quoted, refuse, send, unreachable

app = typer.Typer(help="Batch jobs: submit, watch, fetch, webhook-key.", no_args_is_help=True)

Job = Annotated[str, typer.Argument(help="The id of a job.")]
ENDED = frozenset({"completed", "failed", "cancelled"})
AWAY = frozenset({429, 502, 503, 504})
LOOK_SECONDS = 0.5
PATIENCE_SECONDS = 120.0
"""How long the service may be away while a job is watched."""
PAGE = 1000
TABLE = "table"
State = dict[str, Any]


class Form(StrEnum):
    """How results are written."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


@app.command()
def submit(
    model: Annotated[str, typer.Argument(help="A registered model.")],
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Items: a .json list, .jsonl with one a line, .csv with a row each. Or a .parquet or .ndjson table. "
            "Or files, folders and zip archives of images or texts."
        ),
    ] = None,
    *,
    table: Annotated[
        Path | None,
        typer.Option("--table", help="A .csv, .jsonl, .ndjson or .parquet table of any length, in place of inputs."),
    ] = None,
    delimiter: Annotated[str | None, typer.Option("--delimiter", help="Between the values of a .csv table.")] = None,
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
    cargo = choose(inputs or [], table)
    if cargo.kind != TABLE and delimiter is not None:
        fail("--delimiter is for tables.", USAGE)
    given: State = {"model": model, "version": version, "alias": alias, "threshold": threshold, "webhook": webhook}
    given |= {"params": _params(param or []), "delimiter": delimiter}
    job = _sent(cargo, given, {} if key is None else {"Idempotency-Key": key})
    if follow:
        _conclude(_followed(job["id"], job), as_json=as_json)
    elif as_json:
        typer.echo(json.dumps(job))
    else:
        items = f"{job['items']:,} items" if job["items"] else "a table"
        out.print(f"job {job['id']}: {items} with version {job['version']} of {model}", markup=False)
        out.print(f"next: mlp batch watch {job['id']}", markup=False, style="dim")


def _sent(cargo: Cargo, given: State, headers: dict[str, str]) -> State:
    """Submit a job, and return it."""
    from mlplatform.cli import batch_transfer as transfer  # noqa: PLC0415 - loads httpx; `mlp --help` must answer at once

    answer: State
    fields = {name: value for name, value in given.items() if value is not None}
    if cargo.kind == "items":
        body = {**fields, "inputs": files.read_items(cargo.path)}
        answer = call("POST", "batch", body=body, headers=headers).json()
    elif cargo.kind == "files":
        with parts_of(cargo.paths) as parts:
            form = [("files", part) for part in parts]
            answer = transfer.upload("batch/files", headers, data=fields_of(fields), files=form).json()
    else:
        headers = {**headers, "Content-Type": TABLES[cargo.path.suffix.lower()]}
        with opened(cargo.path) as content:
            answer = transfer.upload("batch/table", headers, params=fields_of(fields), content=content).json()
    return answer


@app.command()
def watch(job: Job, *, as_json: Json = False) -> None:
    """Wait for the end of a job; exits with 1 unless every item succeeded."""
    _conclude(_followed(job, call("GET", quoted("jobs", job)).json()), as_json=as_json)


@app.command()
def fetch(
    job: Job,
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A .parquet, .csv or .jsonl file; else they are printed.")
    ] = None,
    form: Annotated[
        Form | None, typer.Option("--format", help="As which they are written; else as the file's name says, or lines.")
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="List only the items that failed.")] = False,
    partial: Annotated[bool, typer.Option("--partial", help="List what there is, though the job goes on.")] = False,
    as_json: Json = False,
) -> None:
    """Fetch the results of a job, in the order of its items."""
    if as_json and output is None:
        fail("--json tells of a file: name it with --output.", USAGE)
    if form is not None and (failed or partial):
        fail("--format is not for --failed and --partial, which list what is there.", USAGE)
    state: State = call("GET", quoted("jobs", job)).json()
    goes_on = state["state"] not in ENDED
    if goes_on and not partial:
        fail(f"The job is {state['state']}. Wait with mlp batch watch {job}, or take what there is with --partial.")
    if goes_on and not failed and state["kind"] == TABLE:  # it would be taken for all that there is
        fail(f"Of a table that is {state['state']} only the rows that failed can be listed: add --failed.")
    if failed or goes_on:
        told = {"results": _listed(job, output, failed=failed)}
    else:
        told = {"bytes": _downloaded(job, output, form)}
    if output is None:
        return
    if as_json:
        typer.echo(json.dumps({"job": job, "output": str(output), **told}))
        return
    err.print(", ".join(f"{number:,} {name}" for name, number in told.items()), f"in {output}", markup=False)
    if state["failed"] and not failed:
        err.print(f"next: mlp batch fetch {job} --failed", markup=False, style="dim")


def _listed(job: str, output: Path | None, *, failed: bool) -> int:
    results = _results(job, failed=failed)
    if output is not None:
        return files.write_results(output, results)
    count = 0
    for one in results:
        typer.echo(json.dumps(one, ensure_ascii=False))
        count += 1
    return count


def _downloaded(job: str, output: Path | None, form: Form | None) -> int:
    from mlplatform.cli import batch_transfer as transfer  # noqa: PLC0415 - loads httpx; `mlp --help` must answer at once

    wanted = form.value if form else "jsonl" if output is None else files.form_of(output)
    return transfer.download(quoted("jobs", job, f"results.{wanted}"), output)


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
        form = "parquet" if state["kind"] == TABLE else "jsonl"
        out.print(f"next: mlp batch fetch {state['id']} --output results.{form}", markup=False, style="dim")
    if state["succeeded"] != state["items"]:
        raise typer.Exit(FAILED)


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
