"""How `mlp traffic` shows what the service answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

STATES = {"ready": "green", "loading": "yellow", "failed": "bold red"}
NONE = "none"
Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """What to print, and the command to type next."""

    parts: Sequence[RenderableType]
    following: str


def state(answer: Answer) -> Page:
    """Show a routing document."""
    model, document = answer["model"], answer["document"]
    head = f"{escape(model)}: revision {answer['revision']}"
    if document is None:
        return Page([f"{head}, all traffic goes to production"], f"mlp traffic canary {model} 5 --alias staging")
    table = Table("route", "target", "share", "state", "reason")
    known = {target["target"]: target for target in answer["targets"]}
    for route, target, share in _rows(document):
        found = known.get(target, {"state": "ready", "version": None, "reason": None})
        version = f" ({found['version']})" if found["version"] and target.startswith("@") else ""
        style = STATES[found["state"]]
        reason = escape(found["reason"] or "")
        table.add_row(route, escape(target + version), share, f"[{style}]{found['state']}[/]", reason)
    by = f"{head}, by {escape(answer['actor'] or '')}: {escape(answer['reason'] or 'no reason given')}"
    effect = NONE if answer["in_effect"] is None else answer["in_effect"]
    parts: list[RenderableType] = [by, f"in effect on the replica that answers: revision {effect}", table]
    if answer["suspended"]:
        parts.append(f"[bold red]stopped by the rule on this replica:[/] {', '.join(answer['suspended'])}")
    return Page(parts, f"mlp traffic report {model}")


def history(page: Answer) -> Page:
    """Show former documents."""
    table = Table("revision", "when", "by", "action", "traffic", "reason")
    for entry in page["revisions"]:
        rows = [] if entry["document"] is None else _rows(entry["document"])
        shown = ", ".join(f"{route} {target} {share}" for route, target, share in rows if route != "primary")
        cells = (str(entry["revision"]), entry["changed_at"], entry["actor"], entry["action"], shown, entry["reason"])
        table.add_row(*(escape(cell or "") for cell in cells))
    model = page["revisions"][0]["model"] if page["revisions"] else "MODEL"
    return Page([table], f"mlp traffic show {model}")


def report(found: Answer) -> Page:
    """Show figures."""
    parts: list[RenderableType] = []
    model = found.get("model") or found.get("experiment", {}).get("model", "MODEL")
    if found["routes"]:
        parts.append(_routes(found))
    if found["shadows"]:
        parts.append(_shadows(found["shadows"]))
    if "experiment" in found:
        parts.extend(_experiment(found["experiment"]))
    return Page(parts or ["nothing was measured yet"], f"mlp traffic show {model}")


def _rows(document: Answer) -> list[tuple[str, str, str]]:
    rows = [("primary", f"@{document['primary']}", "the rest")]
    if document.get("canary"):
        rows.append(("canary", _target(document["canary"]), f"{document['canary']['percent']:g} %"))
    experiment = document.get("experiment") or {"arms": [], "percent": 0}
    total = sum(each["weight"] for each in experiment["arms"])
    for arm in experiment["arms"]:
        share = "stopped" if arm["stopped"] else f"{experiment['percent'] * arm['weight'] / total:.4g} %"
        rows.append((f"ab:{arm['name']}", _target(arm), share))
    rows += [("shadow", _target(each), f"{each['sample']:.4g} copied") for each in document["shadow"]]
    return rows


def _target(part: Answer) -> str:
    return f"@{part['alias']}" if part.get("version") is None else str(part["version"])


def _routes(found: Answer) -> Table:
    table = Table(
        *("route", "versions", "requests", "errors", "refused", "p50", "p99"),
        title=f"the last {found['window_seconds']} s, all replicas",
        title_justify="left",
    )
    for each in found["routes"]:
        table.add_row(
            each["route"],
            ", ".join(each["versions"]),
            str(each["requests"]),
            f"{each['errors']} ({_share(each['error_rate'])})",
            str(each["refused"]),
            _time(each["p50_seconds"]),
            _time(each["p99_seconds"]),
        )
    return table


def _shadows(shadows: Sequence[Answer]) -> Table:
    table = Table(
        "shadow", "scored", "dropped", "errors", "agreement", "difference p50 / p99", "slower by", title="shadows"
    )
    for each in shadows:
        apart = f"{_number(each['difference_p50'])} / {_number(each['difference_p99'])}"
        table.add_row(
            escape(each["target"]),
            str(each["requests"]),
            str(each["dropped"]),
            _share(each["error_rate"]),
            _share(each["agreement"]),
            apart,
            _time(each["mean_delta_seconds"]),
        )
    return table


def _experiment(found: Answer) -> list[RenderableType]:
    table = Table("arm", "target", "requests", "errors", "outcomes", "mean", "effect", "interval", "p", "decision")
    for arm in found["arms"]:
        against = arm["against_control"] or {}
        interval = against.get("interval")
        table.add_row(
            escape(arm["name"]),
            escape(arm["target"]) + (" stopped" if arm["stopped"] else ""),
            str(arm["requests"]),
            _share(arm["error_rate"]),
            str(arm["outcomes"]),
            _number(arm["mean"]),
            _number(against.get("effect")),
            "" if interval is None else f"{_number(interval[0])} … {_number(interval[1])}",
            _number(against.get("p_value")),
            against.get("decision", "control"),
        )
    title = f"experiment {escape(found['experiment'])}: {escape(found['metric']['name'])}"
    lines = [escape(found["decision"]), f"[dim]{escape(found['method'])}\n{escape(found['assumptions'])}[/]"]
    return [title, table, *lines, *map(escape, found["remarks"])]


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.2%}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _time(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1000:.2f} ms"
