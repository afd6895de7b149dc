"""Findings as metrics."""

from datetime import UTC, datetime
from typing import Any

from prometheus_client import REGISTRY

from services.model_serving.monitoring.gauges import export


def window(metrics: dict[str, Any]) -> dict[str, Any]:
    quality = [{"route": "primary", "labels": 2, "metrics": metrics}]
    findings = {"status": "no_reference", "columns": [], "quality": quality}
    return {"model": "gauged", "version": "1", "rows": 2, "findings": findings, "ended_at": datetime.now(UTC)}


class TestExport:
    def test_a_stored_figure_without_a_number_is_skipped(self) -> None:
        export([window({"rmse": {"value": None}, "mae": {"value": 2.0}})], 20)
        labels = {"model": "gauged", "version": "1", "route": "primary"}
        assert REGISTRY.get_sample_value("ml_quality", labels | {"metric": "mae"}) == 2.0
        assert REGISTRY.get_sample_value("ml_quality", labels | {"metric": "rmse"}) is None
