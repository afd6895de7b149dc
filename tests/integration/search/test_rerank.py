"""The best results in the order of a re-ranker, and what is left when it is away."""

import psycopg
import pytest

from tests.integration.search.api import SearchApi, item

TEXTS = {
    "1": "red apple pie",
    "2": "red apple of the tree by the long road",
    "3": "red car",
    "4": "the quick brown fox",
    "5": "apples and pears",
}
PATH = "/api/v1/search/settings"


@pytest.fixture
async def fruit(api, node, embedding_server):
    embedding_server.favourite = "fox"
    await api.index_and_wait(*(item(key, text) for key, text in TEXTS.items()))
    return api


async def answer(api, **more):
    found = await api.search("red apple", **more)
    assert found.status_code == 200, found.text
    return found.json()


def ids(found):
    return [result["entity_id"] for result in found["results"]]


class TestRerank:
    async def test_nothing_is_re_ranked_unless_asked_for(self, fruit):
        found = await answer(fruit)

        assert found["reranker"] is None
        assert "rerank_score" not in found["results"][0]

    async def test_the_best_are_put_in_its_order_and_the_rest_stays(self, fruit):
        before = await answer(fruit)
        last = ids(before).index("4") + 1

        found = await answer(fruit, rerank=last)

        assert ids(found)[0] == "4"
        assert ids(found)[last:] == ids(before)[last:]
        assert (found["reranker"], found["degraded"], found["complete"]) == ("text-reranker:7", [], True)
        scores = [result["rerank_score"] for result in found["results"][:last]]
        assert scores == sorted(scores, reverse=True)
        assert not any("rerank_score" in result for result in found["results"][last:])

    async def test_what_is_not_among_the_best_is_not_read(self, fruit):
        before = await answer(fruit)

        found = await answer(fruit, rerank=1)

        assert ids(found) == ids(before)

    async def test_explain_shows_both_scores(self, fruit):
        before = await answer(fruit)

        found = await answer(fruit, rerank=5, explain=True)

        first = found["results"][0]
        assert first["explain"]["rerank"] == {"score": 0.9, "rank_before": ids(before).index("4") + 1}
        weight, how = found["explain"]["weight"], first["explain"]
        share = weight * how["vector"]["share"] + (1 - weight) * how["lexical"]["share"]
        assert first["score"] == pytest.approx(share)
        assert "rerank" in found["explain"]["milliseconds"]

    @pytest.mark.parametrize("mode", ["vector", "lexical"])
    async def test_one_leg_alone_is_re_ranked_too(self, fruit, embedding_server, mode):
        embedding_server.favourite = "car"

        assert ids(await answer(fruit, mode=mode, rerank=5))[0] == "3"

    async def test_pages_follow_its_order(self, fruit):
        whole = ids(await answer(fruit, rerank=5))
        first = await answer(fruit, rerank=5, limit=2)

        second = await answer(fruit, rerank=5, limit=3, cursor=first["cursor"])

        assert ids(first) + ids(second) == whole
        assert second["results"][0]["rerank_score"] <= first["results"][-1]["rerank_score"]

    async def test_rankings_with_and_without_are_kept_apart(self, fruit):
        plain, reranked = await answer(fruit), await answer(fruit, rerank=5)

        assert ids(await answer(fruit)) == ids(plain)
        again = await answer(fruit, rerank=5)
        assert (ids(again), again["reranker"]) == (ids(reranked), "text-reranker:7")

    @pytest.mark.parametrize("rerank", [-1, 201, "5", 1.5, True])
    async def test_a_wrong_number_is_refused(self, fruit, rerank):
        assert (await fruit.search("red apple", rerank=rerank)).status_code == 422


class TestDegradation:
    async def test_without_a_re_ranker_the_order_stays_and_the_answer_says_why(self, fruit, embedding_server):
        before = await answer(fruit)
        embedding_server.favourite = None

        found = await answer(fruit, rerank=5)

        assert (ids(found), found["degraded"], found["complete"]) == (ids(before), ["rerank"], True)
        assert "no re-ranker is in production" in found["reason"]

    async def test_one_that_does_not_answer_is_not_waited_for(self, fruit, embedding_server, app):
        app.state.searcher._reranking._patience = 0.2
        before = await answer(fruit)
        embedding_server.reranking.clear()

        found = await answer(fruit, rerank=5)

        assert (ids(found), found["degraded"]) == (ids(before), ["rerank"])
        assert "too long" in found["reason"]

    async def test_it_is_used_again_with_the_next_query(self, fruit, embedding_server):
        embedding_server.favourite = None
        await answer(fruit, rerank=5)
        embedding_server.favourite = "fox"

        assert ids(await answer(fruit, rerank=5))[0] == "4"


class TestSetting:
    async def put(self, client, api, index, **body):
        return await client.put(f"{PATH}/{index}", json=body, headers=api.headers)

    async def test_an_index_may_say_how_many(self, fruit, client):
        assert (await self.put(client, fruit, "doc", rerank=5)).json()["rerank"] == 5

        assert ids(await answer(fruit, entity_types=["doc"]))[0] == "4"
        assert ids(await answer(fruit))[0] != "4"
        assert ids(await answer(fruit, entity_types=["doc"], rerank=0))[0] != "4"

    async def test_the_weight_stays_as_it_is_and_the_other_way_round(self, fruit, client):
        await self.put(client, fruit, "doc", weight=0.3, tuning={"queries": 40})
        await self.put(client, fruit, "doc", rerank=5)
        kept = (await self.put(client, fruit, "doc", weight=0.4)).json()

        assert (kept["weight"], kept["tuning"], kept["rerank"]) == (0.4, None, 5)
        assert (await self.put(client, fruit, "doc", rerank=None)).json()["rerank"] is None

    async def test_who_set_it_is_on_record(self, fruit, client, settings_env):
        await self.put(client, fruit, "doc", rerank=5)
        await self.put(client, fruit, "doc", rerank=None)

        with psycopg.connect(settings_env["ML_DATABASE_OWNER_URL"]) as owner:
            rows = owner.execute(
                "SELECT action, detail->'former', detail->'rerank' FROM audit_events "
                "WHERE action LIKE 'search.%_set' ORDER BY id"
            ).fetchall()
        assert rows == [("search.rerank_set", None, 5), ("search.rerank_set", 5, None)]

    async def test_is_each_tenants_own(self, fruit, client, settings):
        await self.put(client, fruit, "*", rerank=5)

        assert (await client.get(PATH, headers=SearchApi(client, settings, "zeta").headers)).json() == []

    @pytest.mark.parametrize("body", [{"rerank": 201}, {"rerank": -1}, {"rerank": "5"}, {"rerank": 5, "tuning": {}}])
    async def test_a_wrong_one_is_refused(self, api, client, body):
        assert (await self.put(client, api, "doc", **body)).status_code == 422
