"""Metrics of several processes as those of one."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY, Counter
from prometheus_client.parser import text_string_to_metric_families

from mlplatform.telemetry.aggregation import SharedMetrics, merged

ASKED = Counter("ml_test_aggregation_total", "Counted by this test.")


def family(kind: str, *samples: tuple[str, dict[str, str], float]) -> list[dict[str, Any]]:
    return [{"name": "ml_x", "help": "Test.", "type": kind, "samples": list(samples)}]


def values(text: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for metric in text_string_to_metric_families(text.decode())
        for sample in metric.samples
    }


@pytest.fixture
def folder() -> Iterator[Path]:
    """Yield a folder with a path short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="agg-") as name:
        yield Path(name)


class TestMerged:
    def test_counters_are_added_up_with_those_of_processes_that_have_ended(self) -> None:
        alive = [family("counter", ("ml_x_total", {"a": "1"}, 2.0)), family("counter", ("ml_x_total", {"a": "1"}, 3.0))]
        past = [family("counter", ("ml_x_total", {"a": "1"}, 10.0), ("ml_x_total", {"a": "2"}, 1.0))]
        found = values(merged(alive, past))
        assert found["ml_x_total", (("a", "1"),)] == 15
        assert found["ml_x_total", (("a", "2"),)] == 1

    def test_histograms_are_added_up_bucket_by_bucket(self) -> None:
        one = family("histogram", ("ml_x_bucket", {"le": "1.0"}, 1.0), ("ml_x_count", {}, 2.0), ("ml_x_sum", {}, 5.0))
        found = values(merged([one, one], []))
        assert found["ml_x_bucket", (("le", "1.0"),)] == 2
        assert found["ml_x_count", ()] == 4
        assert found["ml_x_sum", ()] == 10

    def test_gauges_of_processes_that_run_stand_side_by_side(self) -> None:
        alive = [family("gauge", ("ml_x", {"process": number}, float(number))) for number in "01"]
        past = [family("gauge", ("ml_x", {"process": "2"}, 2.0))]
        found = values(merged(alive, past))
        assert found == {("ml_x", (("process", "0"),)): 0.0, ("ml_x", (("process", "1"),)): 1.0}

    def test_a_metric_exists_since_the_first_process_has_it(self) -> None:
        alive = [family("counter", ("ml_x_created", {}, moment)) for moment in (7.0, 5.0)]
        assert values(merged(alive, []))["ml_x_created", ()] == 5


class TestSharedMetrics:
    async def test_siblings_are_asked(self, folder: Path) -> None:
        ASKED.inc()
        one, other = SharedMetrics(folder, "1-0-1", "0"), SharedMetrics(folder, "1-1-2", "1")
        async with one.answering(), other.answering():
            found = values(await one.render())
        assert found["ml_test_aggregation_total", ()] == 2 * counted()

    async def test_what_a_process_counted_outlives_it(self, folder: Path) -> None:
        one, other = SharedMetrics(folder, "1-0-1", "0"), SharedMetrics(folder, "1-1-2", "1")
        async with one.answering():
            async with other.answering():
                ASKED.inc()
            found = values(await one.render())
        assert found["ml_test_aggregation_total", ()] == 2 * counted()

    async def test_what_a_process_that_was_killed_had_said_last_counts(self, folder: Path) -> None:
        one, other = SharedMetrics(folder, "1-0-1", "0"), SharedMetrics(folder, "1-1-2", "1")
        async with one.answering(), other.answering():
            before = values(await one.render())
            (folder / "1-1-2.sock").unlink()
            after = values(await one.render())
        key = "ml_test_aggregation_total", ()
        assert after[key] >= before[key]


def counted() -> float:
    return REGISTRY.get_sample_value("ml_test_aggregation_total") or 0
