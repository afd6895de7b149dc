"""The gate report as files."""

import re
from datetime import UTC, datetime

import orjson
import pytest

from mlplatform.registry.gates.finding import Finding, Status
from mlplatform.registry.report import GateReport
from mlplatform.registry.reporting.files import write_files
from mlplatform.registry.reporting.plots import percentile
from mlplatform.registry.stages import Stage

SCRIPT = "<script>alert(1)</script>"
RMSE = {
    "metric": SCRIPT,
    "value": 0.18,
    "production": 0.2,
    "limit": 0.22,
    "greater_is_better": False,
    "passed": True,
}
TRIAL = {
    "ok": True,
    "load_seconds": 0.84,
    "predict_ms": 3.7,
    "latencies_ms": [3.5, 3.7, 9.1],
    "rss_bytes": 512 * 2**20,
    "budgets": {"load_seconds": None, "predict_ms": 5.0, "rss_bytes": 2**30},
}
FIELDS = [
    {"kind": "input", "name": "x", "production": "double", "candidate": "double"},
    {"kind": "input", "name": "y", "production": None, "candidate": "string, optional"},
]
FINDINGS = (
    Finding("digest", Status.PASSED, "The registered ones.", {"digest": "ab" * 32, "recorded": "ab" * 32}),
    Finding("signature", Status.WARNED, SCRIPT, {"changes": ["input y is new"], "fields": FIELDS}),
    Finding("metrics", Status.PASSED, "Fine.", {"measurements": [RMSE], "comparison": "compared with version 1"}),
    Finding("servability", Status.PASSED, "Loaded.", TRIAL),
    Finding("approval", Status.FAILED, "Nobody approved it."),
)
PNG = b"\x89PNG"


def report(*findings: Finding) -> GateReport:
    return GateReport(SCRIPT, "2", Stage.PRODUCTION, "1", "ada", findings, datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return write_files(report(*FINDINGS))


class TestWriteFiles:
    def test_the_document_holds_every_finding(self, files):
        document = orjson.loads(files["report.json"])
        assert [finding["gate"] for finding in document["findings"]] == [finding.gate for finding in FINDINGS]
        assert document["passed"] is False

    def test_what_users_wrote_is_text_in_the_page(self, files):
        page = files["report.html"].decode()
        assert SCRIPT not in page
        assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 4

    def test_the_page_loads_nothing(self, files):
        page = files["report.html"].decode()
        sources = re.findall(r'src="(.{22})', page)
        assert sources == ["data:image/png;base64,"] * 2
        assert not re.search(r"\bsrc=[^\"]|href|url\(|@import|action=", page)
        assert "<script" not in page
        assert "http:" not in page
        assert "https:" not in page

    def test_the_page_shows_figures_budgets_and_changes(self, files):
        page = re.sub(r"\s+", " ", files["report.html"].decode())
        assert "Stopped by: approval" in page
        assert "≤ 0.22" in page
        assert '<td class="number">512 MiB</td> <td class="number">1024 MiB</td>' in page
        assert '<td class="number">9.1 ms</td>' in page
        assert '<tr class="changed"><td>input</td> <td><code>y</code></td><td>none</td>' in page

    def test_there_is_a_plot_of_whatever_was_measured(self, files):
        assert files["metrics.png"].startswith(PNG)
        assert files["latency.png"].startswith(PNG)
        assert files["report.html"].count(b"data:image/png;base64,") == 2

    def test_a_rollback_has_no_more_than_its_digest(self):
        files = write_files(report(FINDINGS[0]))
        assert set(files) == {"report.json", "report.html"}
        assert b"Every gate is passed" in files["report.html"]

    @pytest.mark.parametrize("limit", [None, 0.0])
    def test_odd_measurements_are_drawn(self, limit):
        flat = {**RMSE, "value": 0.0, "production": None, "limit": limit}
        findings = (Finding("metrics", Status.PASSED, "", {"measurements": [flat], "comparison": "alone"}),)
        assert write_files(report(*findings))["metrics.png"].startswith(PNG)


class TestPercentile:
    def test_is_a_value_that_was_measured(self):
        values = list(range(1, 101))
        assert (percentile(values, 0.5), percentile(values, 0.95), percentile([7.0], 0.95)) == (50, 95, 7.0)
