"""The sections of the page, one version at a time."""

from collections.abc import Callable, Sequence
from html import escape

from services.model_serving.monitoring.report.charts import Line, bars, lines
from services.model_serving.monitoring.schemas import ColumnFinding, WindowFinding

MOST_LINES = 8
STATUS = {
    "compared": "compared with training",
    "too_few_rows": "too few logged rows to compare",
    "not_comparable": "the inputs and answers have another form than those of training",
    "no_reference": "no reference profile: log one in training, or run mlp monitor profile",
}
LEVELS = {"none": "as in training", "minor": "changed a little", "major": "changed"}


def by_excess(columns: Sequence[ColumnFinding]) -> list[ColumnFinding]:
    """Order columns, the most drifted first."""
    return sorted(columns, key=lambda column: (-column.excess_psi, column.part, column.name))


def cards(window: WindowFinding) -> str:
    """Sum the newest window up."""
    alarms = sum(column.level == "major" for column in window.columns)
    latency = window.traffic.latency_ms
    shown = [
        (f"{window.rows:,}", "rows compared"),
        (f"{alarms} of {len(window.columns)}", "columns that raise the alarm"),
        (f"{window.traffic.requests:,}", "logged requests in the last window"),
        (f"{latency[1]:.1f} ms" if latency else "none", "95 % of them faster than"),
    ]
    for quality in window.quality:
        for metric, figure in list(quality.metrics.items())[:1]:
            shown.append((f"{figure.value:.4g}", f"{metric} on {quality.labels:,} labels, {quality.route}"))
    return '<div class="cards">' + "".join(_card(*pair) for pair in shown) + "</div>"


def drift_table(window: WindowFinding) -> str:
    """List the columns with their figures."""
    head = "".join(
        f"<th>{name}</th>" for name in ("column", "state", "PSI", "by chance", "test", "p, corrected", "missing")
    )
    rows = "".join(
        f"<tr><td>{_name(column)}</td><td class='{column.level}'>{LEVELS[column.level]}</td><td>{column.psi:.3f}</td>"
        f"<td>{column.psi_noise:.3f}</td><td>{column.test.replace('_', '-')} {column.statistic:.3g}</td>"
        f"<td>{column.p_adjusted:.2g}</td><td>{column.missing:.1%} (was {column.reference_missing:.1%})</td></tr>"
        for column in by_excess(window.columns)
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def distributions(window: WindowFinding) -> str:
    """Draw each column against training."""
    return (
        '<p class="legend"><span><i style="background:var(--before)"></i>training</span>'
        '<span><i style="background:var(--now)"></i>now</span></p><div class="columns">'
        + "".join(_distribution(column) for column in by_excess(window.columns))
        + "</div>"
    )


def drift_over_time(windows: Sequence[WindowFinding], minimum_psi: float) -> str:
    """Draw the index above chance of the most drifted columns."""
    newest = next((window for window in reversed(windows) if window.columns), None)
    if newest is None:
        return '<p class="empty">nothing was compared yet</p>'
    series = []
    for column in by_excess(newest.columns)[:MOST_LINES]:
        points = [
            (window.ended_at.timestamp(), found.excess_psi)
            for window in windows
            for found in window.columns
            if (found.part, found.name) == (column.part, column.name)
        ]
        series.append(Line(column.name if column.part == "input" else f"{column.name} (out)", points))
    return lines(series, unit="PSI above chance", threshold=minimum_psi)


def traffic(windows: Sequence[WindowFinding]) -> str:
    """Draw volume and latency of what was logged."""
    latency = [
        Line(
            name,
            [
                (window.ended_at.timestamp(), window.traffic.latency_ms[place])
                for window in windows
                if window.traffic.latency_ms
            ],
        )
        for place, name in enumerate(("p50", "p95", "p99"))
    ]
    volume = [
        Line("requests", _points(windows, lambda window: float(window.traffic.requests))),
        Line("errors", _points(windows, lambda window: float(window.traffic.errors))),
    ]
    return (
        f'<div class="pair"><div><h3>Logged requests in a window</h3>{lines(volume, unit="requests")}</div>'
        f"<div><h3>Latency, ms</h3>{lines(latency, unit='ms')}</div></div>"
    )


def quality(windows: Sequence[WindowFinding]) -> str:
    """Draw each measure by route, with its interval."""
    found: dict[str, dict[str, list[tuple[float, float, float, float]]]] = {}
    for window in windows:
        for entry in window.quality:
            for metric, figure in entry.metrics.items():
                point = (window.ended_at.timestamp(), figure.value, figure.low, figure.high)
                found.setdefault(metric, {}).setdefault(entry.route, []).append(point)
    if not found:
        return '<p class="empty">no labels yet: send them to POST /api/v1/feedback</p>'
    plots = []
    for metric, routes in found.items():
        series = [
            Line(route, [(time, value) for time, value, _, _ in points], [(low, high) for _, _, low, high in points])
            for route, points in list(routes.items())[:MOST_LINES]
        ]
        plots.append(f"<div><h3>{escape(metric)}</h3>{lines(series, unit=metric, zero=False)}</div>")
    return f'<div class="pair">{"".join(plots)}</div>'


def _points(windows: Sequence[WindowFinding], value: Callable[[WindowFinding], float]) -> list[tuple[float, float]]:
    return [(window.ended_at.timestamp(), value(window)) for window in windows]


def _distribution(column: ColumnFinding) -> str:
    before, now = max(1, sum(column.reference_counts)), max(1, sum(column.counts))
    plot = bars(
        column.bins, [count / before for count in column.reference_counts], [count / now for count in column.counts]
    )
    return (
        f'<div class="card"><h3>{_name(column)} <span class="{column.level}">{LEVELS[column.level]}</span></h3>{plot}'
        f'<p class="soft">PSI {column.psi:.3f}, by chance {column.psi_noise:.3f}; {column.kind}</p></div>'
    )


def _name(column: ColumnFinding) -> str:
    mark = "" if column.part == "input" else " <span class='soft'>(prediction)</span>"
    return escape(column.name) + mark


def _card(figure: str, text: str) -> str:
    return f'<div class="card"><b>{escape(figure)}</b><span>{escape(text)}</span></div>'
