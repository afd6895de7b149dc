"""Rankings in Redis: used while nothing changes, and never after."""

from datetime import timedelta

import pytest
from prometheus_client import REGISTRY

from mlplatform.service.kernel import connect_redis
from services.search.fusion import Fused
from services.search.query import repository
from services.search.query.cache import LARGEST_ENTRY, PREFIX, RankingCache
from services.search.query.ranking import Ranking
from services.search.settings import SearchSettings
from tests.integration.search.api import SearchApi, item


def hits() -> float:
    return REGISTRY.get_sample_value("ml_search_cache_total", {"outcome": "hit"}) or 0.0


async def generation(kernel, tenant="acme") -> int:
    async with kernel.database.transaction(tenant) as connection:
        return (await repository.read_state(connection))["generation"]


@pytest.fixture
async def apple(api, node):
    await api.index_and_wait(item("1", "red apple"), item("2", "green pear"))
    return api


class TestCache:
    async def test_the_same_query_is_ranked_once(self, apple):
        first = (await apple.search("red apple")).json()
        before = hits()

        second = (await apple.search("  red\tapple ")).json()

        assert hits() == before + 1
        assert second["results"] == first["results"]
        assert (second["strategy"], second["complete"], second["model"]) == ("exact", True, "text-embedder")

    async def test_a_page_of_it_is_ranked_with_it(self, apple):
        await apple.search("red apple", limit=1)
        before = hits()

        assert await apple.found("red apple", limit=1, offset=1) == ["2"]
        assert hits() == before + 1

    @pytest.mark.usefixtures("node")
    async def test_whatever_is_acknowledged_is_in_the_next_answer(self, apple):
        assert await apple.found("red apple") == ["1", "2"]

        await apple.index_and_wait(item("3", "red apple"))
        assert await apple.found("red apple") == ["1", "3", "2"]

        await apple.delete("1")
        assert await apple.found("red apple") == ["3", "2"]

        await apple.index_and_wait(item("3", "blue whale"), item("2", "red apple"))
        assert await apple.found("red apple") == ["2", "3"]

        await apple.index(item("2", "red apple", tags=["new"]))
        assert await apple.found("red apple", tags=["new"]) == ["2"]

    async def test_tenants_share_nothing(self, apple, client, settings):
        other = SearchApi(client, settings, "zeta")
        await apple.search("red apple")

        assert await other.found("red apple") == []

    async def test_even_a_forged_ranking_shows_no_foreign_item(self, apple, client, settings):
        await apple.index_and_wait(*(item(f"a{n}", f"apple {n}") for n in range(3)))
        other = SearchApi(client, settings, "zeta")
        first = (await apple.search("apple", limit=1)).json()

        answer = await other.search("apple", limit=1, cursor=first["cursor"])

        assert (answer.status_code, answer.json()["results"]) == (200, [])

    async def test_explained_answers_are_measured_anew(self, apple):
        await apple.search("red apple")
        before = hits()

        assert (await apple.search("red apple", explain=True)).json()["explain"]["milliseconds"]["embed"] > 0
        assert hits() == before

    async def test_without_redis_there_is_no_cache_and_no_failure(self, apple, app, monkeypatch):
        dead = SearchSettings(redis_url="redis://127.0.0.1:9/0")
        monkeypatch.setattr(app.state.searcher._cache, "_redis", connect_redis(dead))
        before = hits()

        for _ in range(2):
            assert await apple.found("red apple") == ["1", "2"]
        assert hits() == before


class TestPlaces:
    """Redis evicts nothing, so the cache bounds itself."""

    MINUTE = timedelta(minutes=1)

    @staticmethod
    def ranking(name: str) -> Ranking:
        return Ranking([Fused(("doc", name), 1.0)], "none", complete=True, more=None)

    async def test_it_never_takes_more_than_its_places_and_mistakes_no_query_for_another(self, kernel):
        cache = RankingCache(kernel.redis, self.MINUTE, entries=5)
        for number in range(50):
            await cache.keep("acme", f"key{number}", self.ranking(str(number)))

        assert 0 < len(await kernel.redis.keys(f"{PREFIX}*")) <= 5
        found = {number: await cache.find("acme", f"key{number}") for number in range(50)}
        kept = {number: ranking for number, ranking in found.items() if ranking is not None}
        assert 0 < len(kept) <= 5
        assert all(ranking.candidates[0].key == ("doc", str(number)) for number, ranking in kept.items())

    async def test_tenants_with_one_place_find_their_own(self, kernel):
        cache = RankingCache(kernel.redis, self.MINUTE, entries=1)
        await cache.keep("acme", "key", self.ranking("1"))

        assert await cache.find("zeta", "key") is None
        assert (await cache.find("acme", "key")).candidates[0].key == ("doc", "1")

    async def test_what_is_too_large_is_not_kept(self, kernel):
        cache = RankingCache(kernel.redis, self.MINUTE, entries=5)
        await cache.keep("acme", "key", self.ranking("x" * LARGEST_ENTRY))

        assert await cache.find("acme", "key") is None

    async def test_without_places_nothing_is_kept(self, kernel):
        cache = RankingCache(kernel.redis, self.MINUTE, entries=0)
        await cache.keep("acme", "key", self.ranking("1"))

        assert await cache.find("acme", "key") is None


class TestGeneration:
    async def test_every_write_and_delete_counts(self, apple, kernel):
        seen = [await generation(kernel)]

        await apple.index(item("3", "blue"))
        seen.append(await generation(kernel))
        await apple.index(item("1", "red apple", tags=["t"]))
        seen.append(await generation(kernel))
        await apple.delete("1")
        seen.append(await generation(kernel))

        assert seen == sorted(set(seen))

    async def test_nothing_written_counts_nothing(self, apple, kernel):
        before = await generation(kernel)

        await apple.delete("unknown")
        await apple.found("red apple")

        assert await generation(kernel) == before

    async def test_is_each_tenants_own(self, apple, kernel):
        before = await generation(kernel, "zeta")

        await apple.index(item("4", "blue"))

        assert await generation(kernel, "zeta") == before == 0

    @pytest.mark.usefixtures("apple")
    async def test_what_is_rolled_back_does_not_count(self, kernel):
        async def delete_and_fail() -> None:
            async with kernel.database.transaction("acme") as connection:
                await connection.execute("DELETE FROM search_items")
                raise LookupError

        before = await generation(kernel)

        with pytest.raises(LookupError):
            await delete_and_fail()

        assert await generation(kernel) == before

    @pytest.mark.usefixtures("space")
    async def test_many_rows_of_one_transaction_count_once(self, api, kernel):
        before = await generation(kernel)

        await api.index(*(item(str(n), f"text {n}") for n in range(50)))

        assert await generation(kernel) == before + 1
