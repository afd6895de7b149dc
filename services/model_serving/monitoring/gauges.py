"""The newest findings as metrics; every process exports the same."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.model_serving.monitoring.metrics import (
    DRIFT_ALARM,
    DRIFT_ROWS,
    DRIFT_SCORE,
    EVALUATED,
    QUALITY,
    QUALITY_LABELS,
)

PARTS = ("input", "prediction")


def export(windows: Sequence[Mapping[str, Any]], most_columns: int) -> None:
    """Set the gauges, and forget what is no longer found.

    Args:
        windows: The newest window of each version.
        most_columns: Columns of a version that are exported, the most drifted ones.
    """
    for gauge in (DRIFT_SCORE, DRIFT_ALARM, DRIFT_ROWS, QUALITY, QUALITY_LABELS):
        gauge.clear()
    for window in windows:
        names = window["model"], window["version"]
        findings = window["findings"]
        DRIFT_ROWS.labels(*names).set(window["rows"])
        if findings["status"] == "compared":
            _export_columns(names, findings["columns"], most_columns)
        for quality in findings["quality"]:
            QUALITY_LABELS.labels(*names, quality["route"]).set(quality["labels"])
            for metric, figure in quality["metrics"].items():
                if figure["value"] is not None:  # stored so by a process of an earlier release
                    QUALITY.labels(*names, quality["route"], metric).set(figure["value"])
    if windows:
        EVALUATED.set(max(window["ended_at"].timestamp() for window in windows))


def _export_columns(names: tuple[str, str], columns: Sequence[Mapping[str, Any]], most: int) -> None:
    for part in PARTS:
        alarms = sum(column["level"] == "major" for column in columns if column["part"] == part)
        DRIFT_ALARM.labels(*names, part).set(alarms)
    for column in sorted(columns, key=lambda column: -column["excess_psi"])[:most]:
        DRIFT_SCORE.labels(*names, column["part"], column["name"]).set(column["excess_psi"])
