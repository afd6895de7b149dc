"""The report of a job as a page."""

from collections.abc import Mapping
from html import escape
from itertools import pairwise

from services.model_serving.batch.report.schemas import BatchReport, NumberSpread, Percentiles
from services.model_serving.monitoring.report import sections
from services.model_serving.monitoring.report.style import STYLE
from services.model_serving.monitoring.schemas import LoggedTraffic, WindowFinding

WIDTH = 420
STATUS = {
    **sections.STATUS,
    "too_few_rows": "too few items to compare",
}
UNCOUNTED = "answers are neither classes nor numbers, such as objects without a label"


def render_report(report: BatchReport) -> str:
    """Write the page."""
    title = f"{report.model} {report.version}, job {report.job}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="soft">{escape(report.state)}, {report.times.created_at:%Y-%m-%d %H:%M} UTC</p>',
        _cards(report),
    ]
    if report.errors:
        parts += ["<h2>Errors</h2>", _bars(report.errors)]
    parts += ["<h2>Answers</h2>", _answers(report), "<h2>Against training</h2>", _drift(report)]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width, initial-scale=1"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body>{''.join(parts)}</body></html>"
    )


def _cards(report: BatchReport) -> str:
    counts, times = report.counts, report.times
    shown = [
        (f"{counts.succeeded:,}", f"of {counts.items:,} items succeeded"),
        (f"{counts.failed:,}", "failed"),
        (f"{counts.cancelled:,}", "cancelled"),
        (_seconds(times.wait_seconds), "until the first chunk"),
        (_seconds(times.run_seconds), "from there to the end"),
        ("none" if times.items_per_second is None else f"{times.items_per_second:,.4g}", "items a second"),
        *(
            [(f"{cut:,}", "texts were cut: the model read only the beginning")]
            if (cut := report.answers.truncated)
            else []
        ),
        *_percentiles("a chunk", times.chunk_seconds),
        *_percentiles("an item", times.item_seconds),
    ]
    cards = "".join(f'<div class="card"><b>{figure}</b><span>{text}</span></div>' for figure, text in shown)
    return f'<div class="cards">{cards}</div>'


def _percentiles(what: str, found: Percentiles | None) -> list[tuple[str, str]]:
    if found is None:
        return []
    return [(_seconds(found.p50), f"for {what}, half of them"), (_seconds(found.p95), f"for {what}, 95 in 100")]


def _answers(report: BatchReport) -> str:
    answers = report.answers
    parts = []
    if answers.classes:
        classes = dict(answers.classes) | ({"all others": answers.other_classes} if answers.other_classes else {})
        parts.append(f"<div><h3>Classes</h3>{_bars(classes)}</div>")
    if answers.confidence is not None:
        tenths = {f"{place / 10:.1f} to {(place + 1) / 10:.1f}": n for place, n in enumerate(answers.confidence)}
        parts.append(f"<div><h3>Confidence</h3>{_bars(tenths)}</div>")
    if answers.numbers is not None:
        parts.append(f"<div><h3>Values</h3>{_numbers(answers.numbers)}</div>")
    uncounted = f'<p class="soft">{answers.uncounted:,} {UNCOUNTED}</p>' if answers.uncounted else ""
    if not parts:
        return uncounted or '<p class="empty">no answers that could be counted</p>'
    return f'<div class="pair">{"".join(parts)}</div>{uncounted}'


def _numbers(spread: NumberSpread) -> str:
    bins = {f"{low:.4g} to {high:.4g}": n for (low, high), n in zip(pairwise(spread.edges), spread.counts, strict=True)}
    return (
        f'<p class="soft">{spread.least:.4g} to {spread.greatest:.4g}, median {spread.median:.4g}, '
        f"mean {spread.mean:.4g}</p>{_bars(bins)}"
    )


def _drift(report: BatchReport) -> str:
    drift = report.drift
    head = f'<p class="soft">{STATUS[drift.status]}; {drift.rows:,} rows</p>'
    if not drift.columns:
        return head
    window = WindowFinding(
        version=report.version,
        status="compared",
        alarm=drift.alarm,
        started_at=report.times.created_at,
        ended_at=report.times.finished_at or report.times.created_at,
        rows=drift.rows,
        columns=drift.columns,
        traffic=LoggedTraffic(),
        quality=[],
    )
    return head + sections.distributions(window) + sections.drift_table(window)


def _bars(counts: Mapping[str, int]) -> str:
    most = max([*counts.values(), 1])
    total = max(sum(counts.values()), 1)
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{count:,}</td><td>{count / total:.1%}</td><td>"
        f'<svg viewBox="0 0 {WIDTH} 14" role="img" aria-label="{count}">'
        f'<rect class="now" x="0" y="2" width="{count / most * WIDTH:.1f}" height="10"/></svg></td></tr>'
        for name, count in counts.items()
    )
    return f'<div class="scroll"><table><tbody>{rows}</tbody></table></div>'


def _seconds(seconds: float | None) -> str:
    return "none" if seconds is None else f"{seconds:.3g} s"
