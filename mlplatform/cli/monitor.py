"""`mlp monitor`: how far a model's inputs and answers are from its training, and how good they were."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from mlplatform.cli.options import Json
from mlplatform.cli.owner import FAILED, USAGE, fail, load_settings, out
from mlplatform.cli.serving_api import call, quoted

if TYPE_CHECKING:
    import pandas as pd

app = typer.Typer(help="The monitoring of models: report, profile.", no_args_is_help=True)

Model = Annotated[str, typer.Argument(help="A registered model.")]
CHUNK = 500
STYLES = {"none": "green", "minor": "yellow", "major": "red"}


@app.command()
def report(
    model: Model,
    *,
    version: Annotated[str | None, typer.Option("--version", help="Only this version.")] = None,
    hours: Annotated[int, typer.Option("--hours", min=1, max=2160, help="How far back to look.")] = 24,
    page: Annotated[Path | None, typer.Option("--page", help="Write the page with plots to this file.")] = None,
    as_json: Json = False,
) -> None:
    """Show the newest window of each version; exits with 1 when one raises the alarm."""
    path = quoted("models", model, "monitoring")
    asked: dict[str, str | int] = {"hours": hours} | ({"version": version} if version else {})
    state = call("GET", path, query=asked).json()
    if page is not None:
        page.write_text(call("GET", f"{path}/report", query=asked).text, encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(state))
    else:
        _show(state)
        if page is not None:
            out.print(f"the page with plots: {page}", markup=False)
        out.print(f"next: {_next(state)}", markup=False)
    if state["alarm"]:
        raise typer.Exit(FAILED)


@app.command()
def profile(
    model: Model,
    *,
    data: Annotated[Path, typer.Option("--data", help="Rows of inputs, CSV or Parquet.")],
    version: Annotated[str | None, typer.Option("--version", help="The one in production unless told.")] = None,
    predictions: Annotated[bool, typer.Option(help="Ask the service for the answers to these rows too.")] = True,
    exclude: Annotated[list[str] | None, typer.Option("--exclude", help="A column to leave out.")] = None,
    as_json: Json = False,
) -> None:
    """Make the reference profile of a version that was registered without one, or replace it."""
    from mlplatform.errors import PlatformError  # noqa: PLC0415 - `mlp --help` must answer at once
    from mlplatform.monitoring.profile import InvalidProfile, make_profile  # noqa: PLC0415 - see above
    from mlplatform.monitoring.storage import attach_profile  # noqa: PLC0415 - loads MLflow
    from mlplatform.registry import tags  # noqa: PLC0415 - see above
    from mlplatform.registry.registry import Registry  # noqa: PLC0415 - loads MLflow

    frame = _read(data)
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"  # standard output may be a JSON document
    try:
        registry = Registry(load_settings().mlflow_url)
        found = registry.resolve(model, version)
        history = tags.INPUT_ROWS in found.tags
        answers = list(_predict(model, found.version, frame)) if predictions and not history else None
        made = make_profile(frame, answers, exclude=exclude or ())
        location = attach_profile(registry, found, made)
    except InvalidProfile as error:
        fail(str(error))
    except PlatformError as error:
        fail(error.detail)
    described = {"model": model, "version": found.version, "profile": location, "columns": len(made.inputs)}
    if as_json:
        typer.echo(json.dumps({**described, "predictions": len(made.predictions)}))
        return
    out.print(
        f"version {found.version} of {model} has a profile of {len(frame):,} rows: {len(made.inputs)} inputs,"
        f" {len(made.predictions)} predictions",
        markup=False,
    )
    out.print(f"next: mlp monitor report {model}", markup=False)


def _read(path: Path) -> "pd.DataFrame":
    import pandas as pd  # noqa: PLC0415 - `mlp --help` must answer at once

    try:
        frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except (OSError, ValueError) as error:
        fail(f"--data: {path} cannot be read: {error}", USAGE)
    if frame.empty:
        fail(f"--data: {path} holds no rows", USAGE)
    return frame


def _predict(model: str, version: str, frame: "pd.DataFrame") -> Iterator[Any]:
    for start in range(0, len(frame), CHUNK):
        rows = json.loads(frame[start : start + CHUNK].to_json(orient="records"))
        body = {"model": model, "version": version, "inputs": rows}
        yield from call("POST", "predict", body=body).json()["predictions"]


def _show(state: Mapping[str, Any]) -> None:
    for window in state["versions"]:
        out.print(
            f"{state['model']} version {window['version']}: {window['status'].replace('_', ' ')},"
            f" {window['rows']:,} rows until {window['ended_at'][:16]}",
            markup=False,
        )
        if window["columns"]:
            out.print(_columns(window["columns"]))
        if window["quality"]:
            out.print(_quality(window["quality"]))
    if not state["versions"]:
        out.print("nothing was logged in that time", markup=False)


def _columns(columns: Sequence[Mapping[str, Any]]) -> Table:
    table = Table("column", "part", "state", "PSI", "by chance", "p, corrected", "missing")
    for column in sorted(columns, key=lambda column: -column["excess_psi"]):
        table.add_row(
            escape(column["name"]),
            column["part"],
            f"[{STYLES[column['level']]}]{column['level']}[/]",
            f"{column['psi']:.3f}",
            f"{column['psi_noise']:.3f}",
            f"{column['p_adjusted']:.2g}",
            f"{column['missing']:.1%}",
        )
    return table


def _quality(entries: Sequence[Mapping[str, Any]]) -> Table:
    table = Table("route", "labels", "measure", "value", "95 % interval")
    for entry in entries:
        for name, figure in entry["metrics"].items():
            interval = f"{figure['low']:.4g} to {figure['high']:.4g}"
            table.add_row(entry["route"], f"{entry['labels']:,}", name, f"{figure['value']:.4g}", interval)
    return table


def _next(state: Mapping[str, Any]) -> str:
    model = state["model"]
    for window in state["versions"]:
        if window["status"] == "no_reference":
            return f"mlp monitor profile {model} --version {window['version']} --data SAMPLE.csv"
    if state["alarm"]:
        return f"mlp monitor report {model} --page report.html"
    return f"mlp monitor report {model} --hours 168"
