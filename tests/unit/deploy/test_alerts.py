"""The alert rules: every metric they read is exported, every alert has its paragraph, and promtool agrees."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client import REGISTRY

import services.model_serving.app

ROOT = Path(__file__).parents[3]
RULES = ROOT / "deploy" / "alerts" / "serving.yaml"
PROMTOOL = shutil.which("promtool") or ""
SUFFIXES = ("_total", "_bucket", "_count", "_sum", "_created")


def rules() -> list[dict]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def alerts() -> list[dict]:
    return [rule for rule in rules() if "alert" in rule]


def exported() -> set[str]:
    assert services.model_serving.app  # importing it makes the metrics
    names = {family.name for family in REGISTRY.collect()}
    return names | {f"{name}{suffix}" for name in names for suffix in SUFFIXES}


class TestRules:
    def test_read_metrics_that_are_exported(self) -> None:
        read = {name for rule in rules() for name in re.findall(r"\bml_[a-z0-9_]+", rule["expr"])}
        assert read - exported() == set()

    @pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
    def test_each_has_a_severity_and_a_paragraph(self, alert: dict) -> None:
        assert alert["labels"]["severity"] in {"warning", "critical"}
        page, _, anchor = alert["annotations"]["runbook_url"].partition("#")
        headings = re.findall(r"^#+ (.*)$", (ROOT / page).read_text(), re.MULTILINE)
        assert anchor in {heading.lower() for heading in headings}

    def test_each_is_tested_on_series(self) -> None:
        tested = (RULES.parent / "serving_test.yaml").read_text()
        assert [alert["alert"] for alert in alerts() if f"alertname: {alert['alert']}," not in tested] == []


@pytest.mark.skipif(not PROMTOOL, reason="promtool is not on PATH; it comes with Prometheus")
class TestPromtool:
    @pytest.mark.parametrize("command", [["check", "rules", "serving.yaml"], ["test", "rules", "serving_test.yaml"]])
    def test_agrees(self, command: list[str]) -> None:
        done = subprocess.run(
            [PROMTOOL, *command], cwd=RULES.parent, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr
