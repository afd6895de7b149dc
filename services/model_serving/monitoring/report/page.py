"""The page."""

from collections.abc import Sequence
from html import escape

from mlplatform.monitoring.drift import MINIMUM_PSI
from services.model_serving.monitoring.report import sections
from services.model_serving.monitoring.report.style import STYLE
from services.model_serving.monitoring.schemas import ModelMonitoring, WindowFinding

HELP = (
    "A column is marked when chance does not explain its change: by Kolmogorov-Smirnov or chi-squared, the null "
    "distribution of the stability index, and Fisher's test for missing values, corrected for the number of columns. "
    "It raises the alarm when its stability index is also far above what chance gives."
)


def render_page(state: ModelMonitoring, windows: Sequence[WindowFinding], minimum_psi: float = MINIMUM_PSI) -> str:
    """Write the report on a model.

    Args:
        state: The newest window of each version.
        windows: All windows, newest first.
        minimum_psi: What raises the alarm.
    """
    parts = [
        f"<h1>{escape(state.model)}</h1>",
        f'<p class="soft">{state.log.sample:.2%} of requests are logged'
        + (f", without {escape(', '.join(state.log.excluded))}" if state.log.excluded else "")
        + f".</p><p class='soft'>{HELP}</p>",
    ]
    if not state.versions:
        parts.append('<p class="empty">Nothing was logged of this model in that time.</p>')
    for newest in state.versions:
        history = [window for window in reversed(windows) if window.version == newest.version]
        parts.append(_version(newest, history, minimum_psi))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width, initial-scale=1"><title>{escape(state.model)}: monitoring</title>'
        f"<style>{STYLE}</style></head><body>{''.join(parts)}</body></html>"
    )


def _version(newest: WindowFinding, history: Sequence[WindowFinding], minimum_psi: float) -> str:
    span = f"{newest.started_at:%Y-%m-%d %H:%M} to {newest.ended_at:%Y-%m-%d %H:%M} UTC"
    parts = [
        f"<h2>Version {escape(newest.version)}</h2>",
        f'<p class="soft">{span}: {sections.STATUS[newest.status]}</p>',
        sections.cards(newest),
    ]
    if newest.columns:
        parts += [
            "<h2>Distributions against training</h2>",
            sections.distributions(newest),
            "<h2>Drift over time</h2>",
            sections.drift_over_time(history, minimum_psi),
            "<h2>Columns</h2>",
            sections.drift_table(newest),
        ]
    parts += ["<h2>Traffic</h2>", sections.traffic(history), "<h2>Quality</h2>", sections.quality(history)]
    return "".join(parts)
