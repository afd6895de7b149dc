"""A gate report as a page that needs no network."""

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from jinja2 import Environment, StrictUndefined

from mlplatform.registry.reporting.plots import percentile
from mlplatform.registry.reporting.template import PAGE, STYLE

MEBIBYTE = 2**20
ABSENT = "none"


def render_page(document: Mapping[str, Any], plots: Mapping[str, bytes | None]) -> bytes:
    """Write the page.

    Args:
        document: The report, as `GateReport.document` gives it.
        plots: PNGs, under `metrics` and `latency`.

    Returns:
        HTML, in UTF-8. Whatever is in the document is text in it: names and messages come from users.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters["figure"] = _figure
    details = {finding["gate"]: finding["detail"] for finding in document["findings"]}
    signature, metrics = details.get("signature", {}), details.get("metrics", {})
    page = environment.from_string(PAGE).render(
        report=document,
        style=STYLE,
        created=f"{datetime.fromisoformat(document['created']):%Y-%m-%d %H:%M:%S} UTC",
        failed=[finding["gate"] for finding in document["findings"] if finding["status"] == "failed"],
        plots={name: _data(content) for name, content in plots.items()},
        measurements=metrics.get("measurements", []),
        comparison=metrics.get("comparison", ""),
        trial=_trial(details.get("servability", {})),
        fields=signature.get("fields", []),
        changes=signature.get("changes", []),
        compared=any(row["production"] for row in signature.get("fields", [])),
        digest=details.get("digest", {}).get("digest", ABSENT),
    )
    return page.encode()


def _trial(detail: Mapping[str, Any]) -> list[dict[str, str]]:
    if detail.get("load_seconds") is None:
        return []
    budgets, latencies = detail["budgets"], detail["latencies_ms"]
    rows = [
        ("load", detail["load_seconds"], budgets["load_seconds"], 1, "s"),
        ("median prediction", detail["predict_ms"], budgets["predict_ms"], 1, "ms"),
        ("p95 of the predictions", percentile(latencies, 0.95) if latencies else None, None, 1, "ms"),
        ("memory of the process", detail["rss_bytes"], budgets["rss_bytes"], MEBIBYTE, "MiB"),
    ]
    return [
        {"name": name, "measured": _quantity(value, unit, words), "budget": _quantity(budget, unit, words)}
        for name, value, budget, unit, words in rows
    ]


def _quantity(value: float | None, unit: int, words: str) -> str:
    return ABSENT if value is None else f"{value / unit:.4g} {words}"


def _figure(value: float | None) -> str:
    return ABSENT if value is None else f"{value:.6g}"


def _data(content: bytes | None) -> str | None:
    return None if content is None else f"data:image/png;base64,{base64.b64encode(content).decode()}"
