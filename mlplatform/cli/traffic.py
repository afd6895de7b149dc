"""`mlp traffic`: canaries, shadows and experiments of a model, through the serving service."""

import json
from typing import Annotated, Any

import typer

from mlplatform.cli import traffic_view as view
from mlplatform.cli.options import Json
from mlplatform.cli.owner import USAGE, fail, out
from mlplatform.cli.serving_api import call, quoted

app = typer.Typer(
    help="Traffic of a model: show, canary, shadow, experiment, abort, clear, report.", no_args_is_help=True
)

Model = Annotated[str, typer.Argument(help="A registered model.")]
Version = Annotated[str | None, typer.Option("--version", help="The candidate, by number.")]
Alias = Annotated[str | None, typer.Option("--alias", help="The candidate, by alias.")]
Reason = Annotated[str | None, typer.Option("--reason", help="Why, for the history.")]
Document = dict[str, Any]


@app.command()
def show(
    model: Model,
    *,
    history: Annotated[bool, typer.Option("--history", help="Who changed it, when and why.")] = False,
    as_json: Json = False,
) -> None:
    """Show how the traffic is dealt out, and how far that is in effect."""
    if history:
        page = call("GET", quoted("models", model, "traffic", "history")).json()
        _print(page, as_json=as_json, table=view.history(page))
        return
    state = call("GET", quoted("models", model, "traffic")).json()
    _print(state, as_json=as_json, table=view.state(state))


@app.command()
def canary(
    model: Model,
    percent: Annotated[float, typer.Argument(min=0, max=100, help="Share of the requests.")],
    *,
    version: Version = None,
    alias: Alias = None,
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Send a share of the traffic to a candidate; without one named, change the share of the present one."""
    state, document = _read(model)
    target = _target(version, alias, document.get("canary"))
    _refuse_both(document, "experiment")
    document["canary"] = {**target, "percent": percent}
    _write(model, state, document, reason, as_json=as_json)


@app.command()
def shadow(
    model: Model,
    *,
    version: Version = None,
    alias: Alias = None,
    sample: Annotated[
        float, typer.Option("--sample", min=0, max=1, help="Share of requests to copy; 0 ends it.")
    ] = 1.0,
    tolerance: Annotated[float, typer.Option("--tolerance", help="Relative difference at which numbers agree.")] = 1e-6,
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Have a candidate score copies of requests; its answers are compared and thrown away."""
    state, document = _read(model)
    target = _target(version, alias, None)
    others = [each for each in document.get("shadow", []) if not _same(each, target)]
    added = [{**target, "sample": sample, "tolerance": tolerance}] if sample else []
    document["shadow"] = others + added
    _write(model, state, document, reason, as_json=as_json)


@app.command()
def experiment(
    model: Model,
    name: Annotated[str, typer.Argument(help="What to call it.")],
    *,
    arm: Annotated[
        list[str], typer.Option("--arm", metavar="NAME=TARGET[:WEIGHT]", help="TARGET is 3 or @alias; control first.")
    ],
    metric: Annotated[str, typer.Option("--metric", help="Name of the outcome.")] = "outcome",
    kind: Annotated[str, typer.Option("--kind", help="proportion, bounded or mean.")] = "proportion",
    lower: Annotated[float, typer.Option("--lower", help="Least value of a bounded outcome.")] = 0.0,
    upper: Annotated[float, typer.Option("--upper", help="Greatest value of a bounded outcome.")] = 1.0,
    better: Annotated[str, typer.Option("--better", help="higher or lower.")] = "higher",
    percent: Annotated[float, typer.Option("--percent", min=0, max=100, help="Share that takes part.")] = 100.0,
    alpha: Annotated[float, typer.Option("--alpha", help="Error probability over all looks.")] = 0.05,
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Compare versions on live traffic; outcomes come in as feedback, the report may be read at any time."""
    state, document = _read(model)
    _refuse_both(document, "canary")
    document["experiment"] = {
        "name": name,
        "arms": [_arm(text) for text in arm],
        "metric": {"name": metric, "kind": kind, "lower": lower, "upper": upper, "better": better},
        "percent": percent,
        "alpha": alpha,
    }
    _write(model, state, document, reason, as_json=as_json)


@app.command()
def abort(
    model: Model,
    route: Annotated[str, typer.Argument(help="canary, or ab: and the name of an arm.")] = "canary",
    *,
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Take all traffic away from a canary or an arm, at once."""
    body = {"route": route} | ({} if reason is None else {"reason": reason})
    state = call("POST", quoted("models", model, "traffic", "abort"), body=body).json()
    _print(state, as_json=as_json, table=view.state(state))


@app.command()
def clear(
    model: Model,
    what: Annotated[str, typer.Argument(help="canary, shadow, experiment or all.")] = "all",
    *,
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """End a canary, the shadows, an experiment, or everything: traffic goes to production again."""
    if what not in {"canary", "shadow", "experiment", "all"}:
        fail("Say what to end: canary, shadow, experiment or all.", USAGE)
    state, document = _read(model)
    if what == "all":
        state = call("DELETE", quoted("models", model, "traffic"), headers=_if_match(state)).json()
        _print(state, as_json=as_json, table=view.state(state))
        return
    document.pop(what, None)
    _write(model, state, document, reason, as_json=as_json)


@app.command()
def report(
    model: Model,
    name: Annotated[str | None, typer.Argument(help="An experiment; by default the running one.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Show what routes, shadows and an experiment show; looking often does no harm."""
    document = (call("GET", quoted("models", model, "traffic")).json()["document"] or {}) if name is None else {}
    running = document.get("experiment") or {}
    found = {"routes": [], "shadows": []} if name else call("GET", quoted("models", model, "traffic", "report")).json()
    wanted = name or running.get("name")
    if wanted:
        found["experiment"] = call("GET", quoted("models", model, "experiments", wanted)).json()
    _print(found, as_json=as_json, table=view.report(found))


def _read(model: str) -> tuple[dict[str, Any], Document]:
    state = call("GET", quoted("models", model, "traffic")).json()
    return state, dict(state["document"] or {})


def _write(model: str, state: dict[str, Any], document: Document, reason: str | None, *, as_json: bool) -> None:
    body = {"document": document} | ({} if reason is None else {"reason": reason})
    after = call("PUT", quoted("models", model, "traffic"), body=body, headers=_if_match(state)).json()
    _print(after, as_json=as_json, table=view.state(after))


def _if_match(state: dict[str, Any]) -> dict[str, str]:
    return {"If-Match": f'"{state["revision"]}"'}


def _target(version: str | None, alias: str | None, present: dict[str, Any] | None) -> dict[str, str]:
    if version is not None and alias is not None:
        fail("Give --version or --alias, not both.", USAGE)
    if version is not None:
        return {"version": version}
    if alias is not None:
        return {"alias": alias}
    if present is None:
        fail("Name the candidate with --version or --alias.", USAGE)
    return {key: present[key] for key in ("version", "alias") if present.get(key) is not None}


def _same(one: dict[str, Any], other: dict[str, str]) -> bool:
    return all(one.get(key) == other.get(key) for key in ("version", "alias"))


def _refuse_both(document: Document, other: str) -> None:
    if document.get(other):
        fail(f"There is a running {other}; end it first: mlp traffic clear MODEL {other}", USAGE)


def _arm(text: str) -> dict[str, Any]:
    name, _, rest = text.partition("=")
    target, _, weight = rest.partition(":")
    try:
        share = float(weight or 1)
    except ValueError:
        share = 0.0
    if not name or not target.removeprefix("@") or share <= 0:
        fail("--arm: must be NAME=TARGET or NAME=TARGET:WEIGHT, such as new=@staging:1", USAGE)
    named = {"alias": target[1:]} if target.startswith("@") else {"version": target}
    return {"name": name, "weight": share, **named}


def _print(document: object, *, as_json: bool, table: view.Page) -> None:
    if as_json:
        typer.echo(json.dumps(document))
        return
    for part in table.parts:
        out.print(part)
    out.print(f"next: {table.following}", markup=False, style="dim")
