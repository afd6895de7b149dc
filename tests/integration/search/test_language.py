from datetime import timedelta

import psycopg
import pytest

from mlplatform.auth import Role
from services.search.lexical import LexicalMaintenance
from tests.integration.search.api import SearchApi, item

PATH = "/api/v1/search/settings"


async def put(client, api, index, language):
    return await client.put(f"{PATH}/{index}", json={"language": language}, headers=api.headers)


async def get(client, api, index):
    answer = await client.get(f"{PATH}/{index}", headers=api.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
def settings(settings):
    """With no upkeep of the postings but the one that tests do."""
    return settings.model_copy(update={"search_lexical_interval": timedelta(hours=1)})


@pytest.mark.usefixtures("space")
class TestLanguage:
    async def test_new_items_are_indexed_in_it(self, api, client):
        answer = await put(client, api, "doc", "german")
        await api.index(item("1", "viele Häuser"))

        assert (answer.status_code, answer.json()["language"], answer.json()["waiting"]) == (200, "german", 0)
        assert await api.found("Haus", mode="lexical") == ["1"]

    async def test_items_that_are_stored_already_follow_and_are_counted(self, api, client, settings, kernel):
        await api.index(*(item(str(number), "viele Häuser") for number in range(3)))
        assert (await put(client, api, "doc", "german")).json()["waiting"] == 3
        await api.index(item("3", "noch mehr Häuser"))
        assert await api.found("Haus", mode="lexical") == ["3"]

        await LexicalMaintenance(kernel.database, interval=settings.search_lexical_interval).settle()

        assert (await get(client, api, "doc"))["waiting"] == 0
        assert set(await api.found("Haus", mode="lexical")) == {"0", "1", "2", "3"}

    async def test_null_goes_back_to_english(self, api, client):
        await put(client, api, "doc", "german")
        assert (await put(client, api, "doc", None)).json()["language"] == "english"
        await api.index(item("1", "running"))

        assert await api.found("runs", mode="lexical") == ["1"]

    async def test_is_english_where_nothing_was_set(self, api, client):
        told = await get(client, api, "doc")

        assert (told["language"], told["waiting"], told["updated_at"]) == ("english", 0, None)
        assert (await client.get(PATH, headers=api.headers)).json() == []

    async def test_is_listed_with_other_settings_and_leaves_them_as_they_are(self, api, client):
        await client.put(f"{PATH}/doc", json={"weight": 0.4}, headers=api.headers)
        await put(client, api, "doc", "german")
        await client.put(f"{PATH}/*", json={"weight": 0.5}, headers=api.headers)

        rows = (await client.get(PATH, headers=api.headers)).json()

        assert [(row["entity_type"], row["weight"], row["language"]) for row in rows] == [
            ("*", 0.5, None),
            ("doc", 0.4, "german"),
        ]

    async def test_what_was_set_by_sql_is_listed(self, api, client, kernel):
        async with kernel.database.transaction("acme") as connection:
            await connection.execute("SELECT set_search_language('buch', 'german')")

        (row,) = (await client.get(PATH, headers=api.headers)).json()

        assert (row["entity_type"], row["weight"], row["language"]) == ("buch", None, "german")
        assert row["updated_at"] is not None

    async def test_a_ranking_of_before_is_not_shown_again(self, api, client):
        await api.index(item("1", "haus"))
        assert await api.found("Häuser", mode="lexical") == []

        await put(client, api, "buch", "german")

        assert await api.found("Häuser", mode="lexical") == ["1"]

    async def test_one_that_there_is_not_is_refused_with_those_that_there_are(self, api, client):
        answer = await put(client, api, "doc", "klingon")

        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["field"]) == (422, "body.language")
        assert all(name in error["message"] for name in ("english", "german", "simple"))
        assert (await client.get(PATH, headers=api.headers)).json() == []

    @pytest.mark.parametrize("language", ["", "GERMAN", "pg_catalog.german", "german\x00", "x" * 64, 5, ["german"]])
    async def test_nothing_but_a_name_is_taken(self, api, client, language):
        answer = await put(client, api, "doc", language)

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"].startswith("body.language")

    async def test_belongs_to_one_kind(self, api, client):
        answer = await put(client, api, "*", "german")

        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body.language")

    async def test_who_set_it_is_on_record(self, api, client, settings_env):
        await put(client, api, "doc", "german")
        await put(client, api, "doc", None)

        with psycopg.connect(settings_env["ML_DATABASE_OWNER_URL"]) as owner:
            rows = owner.execute(
                "SELECT actor, tenant_id, resource, detail->>'former', detail->>'language' FROM audit_events "
                "WHERE action = 'search.language_set' ORDER BY id"
            ).fetchall()
        assert rows == [
            ("tester", "acme", "index/doc", "english", "german"),
            ("tester", "acme", "index/doc", "german", "english"),
        ]

    async def test_is_each_tenants_own(self, api, client, settings):
        other = SearchApi(client, settings, "zeta")
        await put(client, api, "doc", "german")
        await other.index(item("1", "viele Häuser"))

        assert (await get(client, other, "doc"))["language"] == "english"
        assert await other.found("Haus", mode="lexical") == []

    async def test_is_set_by_publishers_and_read_by_users(self, client, settings):
        user = SearchApi(client, settings, "acme", [Role.USER])

        assert (await put(client, user, "doc", "german")).status_code == 403
        assert (await get(client, user, "doc"))["language"] == "english"
