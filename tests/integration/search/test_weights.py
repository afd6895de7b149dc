import psycopg
import pytest

from mlplatform.auth import Role
from tests.integration.search.api import SearchApi, item

PATH = "/api/v1/search/settings"


async def put(client, api, index, **body):
    return await client.put(f"{PATH}/{index}", json=body, headers=api.headers)


async def weight_of(api, **more):
    return (await api.search("apple", explain=True, **more)).json()["explain"]["weight"]


@pytest.fixture
async def apple(api, node):
    await api.index_and_wait(item("1", "red apple"), item("2", "green pear"))
    return api


class TestWeights:
    async def test_is_in_effect_with_the_next_query(self, apple, client):
        assert await weight_of(apple, entity_types=["doc"]) == 0.6

        answer = await put(client, apple, "doc", weight=0.25, tuning={"queries": 40, "gain_held_out": 0.01})

        assert (answer.status_code, answer.json()["weight"]) == (200, 0.25)
        assert await weight_of(apple, entity_types=["doc"]) == 0.25
        assert await weight_of(apple) == 0.6

    async def test_a_cached_ranking_of_another_weight_is_not_used(self, apple, client):
        await apple.index_and_wait(item("3", "red and green apple pie of the year"))
        before = (await apple.search("apple", entity_types=["doc"])).json()

        await put(client, apple, "doc", weight=0)
        after = (await apple.search("apple", entity_types=["doc"])).json()

        assert [result["score"] for result in before["results"]] != [result["score"] for result in after["results"]]

    async def test_the_star_is_for_all_others(self, apple, client):
        await put(client, apple, "*", weight=0.5)
        await put(client, apple, "doc", weight=0.1)

        assert await weight_of(apple) == 0.5
        assert await weight_of(apple, entity_types=["other"]) == 0.5
        assert await weight_of(apple, entity_types=["doc"]) == 0.1
        assert await weight_of(apple, entity_types=["doc"], weight=0.9) == 0.9

    async def test_null_goes_back_to_the_default(self, apple, client):
        await put(client, apple, "*", weight=0.5)
        await put(client, apple, "*", weight=None)

        assert await weight_of(apple) == 0.6

    async def test_who_set_it_is_on_record(self, apple, client, settings_env):
        await put(client, apple, "doc", weight=0.5)
        await put(client, apple, "doc", weight=0.4)

        with psycopg.connect(settings_env["ML_DATABASE_OWNER_URL"]) as owner:
            rows = owner.execute(
                "SELECT actor, tenant_id, resource, detail->'former', detail->'weight' FROM audit_events "
                "WHERE action = 'search.weight_set' ORDER BY id"
            ).fetchall()
        assert rows == [("tester", "acme", "index/doc", None, 0.5), ("tester", "acme", "index/doc", 0.5, 0.4)]

    async def test_is_each_tenants_own(self, apple, client, settings):
        other = SearchApi(client, settings, "zeta")
        await put(client, apple, "*", weight=0.1)

        assert (await client.get(PATH, headers=other.headers)).json() == []
        (mine,) = (await client.get(PATH, headers=apple.headers)).json()
        assert (mine["entity_type"], mine["weight"]) == ("*", 0.1)

    async def test_is_for_publishers(self, client, settings):
        user = SearchApi(client, settings, "acme", [Role.USER])

        assert (await put(client, user, "doc", weight=0.5)).status_code == 403
        assert (await client.get(PATH, headers=user.headers)).status_code == 200

    @pytest.mark.parametrize("body", [{}, {"weight": 1.5}, {"weight": "0.5"}, {"weight": 0.5, "tuning": {"a": [1]}}])
    async def test_a_wrong_one_is_refused(self, api, client, body):
        assert (await put(client, api, "doc", **body)).status_code == 422

    async def test_a_wrong_kind_is_refused(self, api, client):
        assert (await put(client, api, "no%20spaces", weight=0.5)).status_code == 422
