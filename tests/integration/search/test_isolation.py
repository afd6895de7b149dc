"""No tenant ever sees, changes or deletes what is another's, whatever the route and the order."""

import random

import psycopg
import pytest

from tests.integration.search.api import SearchApi, item

TENANTS = ("acme", "zeta", "omni")
KEYS = [str(number) for number in range(6)]
WORDS = ("red", "green", "apple", "pear")
FACETS = ("entity_type", "tags", "metadata.k")


@pytest.fixture
def tenants(client, settings, node):
    return {tenant: SearchApi(client, settings, tenant) for tenant in TENANTS}


@pytest.mark.parametrize("seed", range(3))
class TestIsolation:
    async def test_any_order_of_calls_shows_each_tenant_its_own_items(self, tenants, seed):
        chance = random.Random(seed)  # noqa: S311 - chooses the order of a test
        expected = {tenant: dict[str, str]() for tenant in TENANTS}
        for _ in range(40):
            tenant, key = chance.choice(TENANTS), chance.choice(KEYS)
            if chance.random() < 0.7:
                text = f"{chance.choice(WORDS)} {chance.choice(WORDS)} of {tenant}"
                await tenants[tenant].index_and_wait(item(key, text, tags=["t"], metadata={"k": 1}))
                expected[tenant][key] = text
            else:
                deleted = (await tenants[tenant].delete(*KEYS[: int(key) + 1])).json()["deleted"]
                gone = [known for known in KEYS[: int(key) + 1] if expected[tenant].pop(known, None)]
                assert deleted == len(gone)
            other = chance.choice(TENANTS)
            conditions = chance.choice([{}, {"tags": ["t"]}, {"filters": {"k": [1, 2]}}, {"entity_types": ["doc"]}])
            asked = {"limit": 50, "facets": FACETS, "explain": chance.random() < 0.5, **conditions}
            mode, word = chance.choice(("hybrid", "vector", "lexical")), chance.choice(WORDS)
            answer = (await tenants[other].search(word, mode=mode, **asked)).json()
            found = {result["entity_id"]: result["text"] for result in answer["results"]}
            own = {known: text for known, text in expected[other].items() if mode != "lexical" or word in text}
            assert found == own
            for facet, value in zip(FACETS, ("doc", "t", 1), strict=True):
                counted = [{"value": value, "items": len(own)}] if own else []
                assert answer["facets"][facet]["values"] == counted
            if asked["explain"] and mode != "lexical":
                assert answer["explain"]["matching"] == len(own)
            named = chance.choice(TENANTS)
            slip = f"{named[:-1]}x"  # each tenant's own items, and no others, have its name
            answer = (await tenants[other].search(slip, mode="lexical", **asked)).json()
            known_by_name = expected[other] if named == other else {}
            assert {result["entity_id"] for result in answer["results"]} == known_by_name.keys()
            assert answer["corrected"].keys() == ({slip} if known_by_name else set())
            read = await tenants[other].get(key)
            assert (read.status_code == 200) == (key in expected[other])
            assert read.status_code == 404 or read.json()["text"] == expected[other][key]


@pytest.mark.usefixtures("space")
class TestForeignTenant:
    async def test_naming_another_tenant_is_refused_and_recorded(self, api, settings_env):
        answer = await api.search("apple", tenant="zeta")

        assert (answer.status_code, answer.json()["code"]) == (403, "foreign_tenant")
        with psycopg.connect(settings_env["ML_DATABASE_OWNER_URL"]) as owner:
            rows = owner.execute(
                "SELECT actor, tenant_id, detail->>'reason' FROM audit_events WHERE action = 'access.denied'"
            ).fetchall()
        assert rows == [("tester", "acme", "tenant")]

    async def test_naming_ones_own_is_not(self, api):
        assert (await api.search("apple", tenant="acme")).status_code == 200


class TestDatabase:
    """What a service would reach with a query that forgot the tenant."""

    @pytest.mark.usefixtures("node")
    async def test_a_transaction_without_a_tenant_sees_nothing(self, api, space, kernel):
        await api.index_and_wait(item("1", "text"))

        for table in ("search_items", f"embeddings_{space.id}"):
            async with kernel.database.transaction() as connection:
                row = await (await connection.execute(f"SELECT count(*) FROM {table}")).fetchone()  # noqa: S608 - ours
            assert row == {"count": 0}

    async def test_rows_of_another_tenant_cannot_be_written(self, kernel):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with kernel.database.transaction("acme") as connection:
                await connection.execute(
                    "INSERT INTO search_items (tenant_id, entity_type, entity_id, text, content_sha256) "
                    "VALUES ('zeta', 'doc', '1', 'text', repeat('0', 64))"
                )

    @pytest.mark.usefixtures("node")
    @pytest.mark.parametrize("function", ["matching_search_items", "matching_search_documents"])
    async def test_the_functions_that_filter_see_the_tenant_of_the_transaction_only(self, api, kernel, function):
        await api.index_and_wait(item("1", "text"))

        counts = {}
        for tenant in ("acme", "zeta"):
            async with kernel.database.transaction(tenant) as connection:
                cursor = await connection.execute(f"SELECT count(*) FROM {function}('{{}}', 10)")  # noqa: S608 - ours
                counts[tenant] = (await cursor.fetchone())["count"]

        assert counts == {"acme": 1, "zeta": 0}
