"""The files of a gate report, and where they go."""

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from mlplatform.objects import ObjectStore
from mlplatform.registry.errors import RegistryRefused, RegistryUnavailable
from mlplatform.registry.model_version import ModelVersion
from mlplatform.registry.registry import Registry
from mlplatform.registry.report import GateReport, page_key, report_key
from mlplatform.registry.reporting.page import render_page
from mlplatform.registry.reporting.plots import plot_latency, plot_metrics

DOCUMENT, PAGE = "report.json", "report.html"


def write_files(report: GateReport) -> dict[str, bytes]:
    """Write a report out.

    Returns:
        `report.json`, `report.html`, and the plots that there is something to draw in.
    """
    document = report.document()
    content = orjson.dumps(document, option=orjson.OPT_INDENT_2)
    details: dict[str, Mapping[str, Any]] = {finding.gate: finding.detail for finding in report.findings}
    trial = details.get("servability", {})
    plots = {
        "metrics": plot_metrics(details.get("metrics", {}).get("measurements", [])),
        "latency": plot_latency(trial.get("latencies_ms", ()), trial.get("budgets", {}).get("predict_ms")),
    }
    images = {f"{name}.png": image for name, image in plots.items() if image is not None}
    return {DOCUMENT: content, PAGE: render_page(orjson.loads(content), plots), **images}


async def store_files(
    objects: ObjectStore, bucket: str, promotion_id: int, model: str, files: Mapping[str, bytes]
) -> str:
    """Write a report to S3.

    Returns:
        The URI of the JSON document.

    Raises:
        DependencyUnavailable: S3 is down.
    """
    key = report_key(model, promotion_id)
    await objects.ensure_bucket()
    await objects.put(page_key(key), files[PAGE], "text/html; charset=utf-8")
    await objects.put(key, files[DOCUMENT], "application/json")
    return f"s3://{bucket}/{key}"


async def log_files(registry: Registry, version: ModelVersion, promotion_id: int, files: Mapping[str, bytes]) -> bool:
    """Put a report beside the run that made the version, for those who look there.

    Returns:
        Whether it is there now: a version may have no run, and by now MLflow may be down, which undoes no promotion.
    """
    return await asyncio.to_thread(_log, registry, version, promotion_id, files)


def _log(registry: Registry, version: ModelVersion, promotion_id: int, files: Mapping[str, bytes]) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        try:
            return registry.log_artifacts(version, Path(folder), f"promotions/{promotion_id}")
        except (RegistryRefused, RegistryUnavailable):
            return False
