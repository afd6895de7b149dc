import asyncio
from datetime import timedelta

import pytest
from prometheus_client import REGISTRY

from mlplatform.events import running
from services.search.query.probe import RecallProbe
from tests.integration.embedding.waiting import eventually
from tests.integration.search.api import item

SOON = timedelta(milliseconds=10)
NEVER = timedelta(0)


def probe_every(kernel, interval: timedelta) -> RecallProbe:
    return RecallProbe(kernel.database, interval=interval, exact_rows=50, scan_tuples=20_000, queries=10, floor=0.95)


@pytest.fixture
def probe(kernel):
    return probe_every(kernel, NEVER)


def probes(outcome: str) -> float:
    """Return how many probes have ended so."""
    return REGISTRY.get_sample_value("ml_search_probes_total", {"outcome": outcome}) or 0.0


async def further(outcome: str, count: int) -> None:
    """Wait for further probes that end so."""
    before = probes(outcome)
    await eventually(lambda: probes(outcome) >= before + count)


class TestProbe:
    @pytest.mark.usefixtures("node")
    async def test_measures_the_index_against_comparing_everything(self, api, probe):
        await api.index_and_wait(*(item(str(n), f"word{n % 7} other{n % 5} number{n}") for n in range(80)))

        recall = await probe.probe()

        assert 0.5 < recall <= 1  # many items are equally far from each other, which HNSW dislikes
        assert REGISTRY.get_sample_value("ml_search_recall") == recall

    @pytest.mark.usefixtures("node")
    async def test_small_tenants_are_compared_exactly_and_need_no_probe(self, api, probe):
        await api.index_and_wait(*(item(str(n), f"text {n}") for n in range(10)))

        assert await probe.probe() is None


@pytest.mark.usefixtures("space")
class TestRun:
    async def test_probes_at_intervals_until_it_is_stopped(self, kernel):
        probe = probe_every(kernel, SOON)
        async with running(probe, "recall probe"):
            await further("nothing_to_probe", 3)

        ended = probes("nothing_to_probe")
        await asyncio.sleep(5 * SOON.total_seconds())
        assert probes("nothing_to_probe") == ended

    @pytest.mark.usefixtures("node")
    async def test_what_it_measures_is_that_of_the_items_at_the_time(self, kernel, api):
        async with running(probe_every(kernel, SOON), "recall probe"):
            await further("nothing_to_probe", 1)
            await api.index_and_wait(*(item(str(n), f"word{n % 7} other{n % 5} number{n}") for n in range(80)))
            await further("measured", 2)

    async def test_a_probe_that_fails_is_counted_and_the_next_one_is_made(self, kernel, owner):
        async with running(probe_every(kernel, SOON), "recall probe") as check:
            owner.execute("ALTER TABLE tenants RENAME TO elsewhere")
            await further("failed", 2)
            owner.execute("ALTER TABLE elsewhere RENAME TO tenants")
            await further("nothing_to_probe", 1)
            await check()

    async def test_none_is_made_where_none_is_wanted_and_none_before_its_time(self, kernel):
        before = [probes(outcome) for outcome in ("measured", "nothing_to_probe", "failed")]
        for interval in (NEVER, timedelta(hours=1)):
            async with running(probe_every(kernel, interval), "recall probe") as check:
                await asyncio.sleep(0.1)
                await check()

        assert [probes(outcome) for outcome in ("measured", "nothing_to_probe", "failed")] == before
