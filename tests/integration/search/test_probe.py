from datetime import timedelta

import pytest
from prometheus_client import REGISTRY

from services.search.query.probe import RecallProbe
from tests.integration.search.api import item


@pytest.fixture
def probe(kernel):
    return RecallProbe(
        kernel.database, interval=timedelta(0), exact_rows=50, scan_tuples=20_000, queries=10, floor=0.95
    )


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
