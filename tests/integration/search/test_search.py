import psycopg
import pytest

from mlplatform.auth import Role
from services.search.filters import Filters
from services.search.query import vector_repository
from tests.integration.search.api import SearchApi, item
from tests.unit.embedding.encoders import WordEncoder

COLOURS = ("red", "green", "blue", "white")
CONDITIONS = [
    ({"filters": {"number": 5}}, ["005"]),
    ({"filters": {"number": 5.0}}, ["005"]),
    ({"filters": {"number": [5, 6]}}, ["005", "006"]),
    ({"filters": {"number": "5"}}, []),
    ({"filters": {"rare": True}}, ["077"]),
    ({"filters": {"rare": 1}}, []),
    ({"filters": {"none": None, "number": 3}}, ["003"]),
    ({"filters": {"colour": "green", "number": [1, 2, 5]}}, ["001", "005"]),
    ({"tags": ["rare"]}, ["077"]),
    ({"tags": ["rare", "green"]}, ["077"]),
    ({"tags": ["rare", "red"]}, []),
    ({"entity_types": ["other"]}, []),
    ({"entity_types": ["other", "doc"], "tags": ["rare"]}, ["077"]),
    ({"filters": {"unknown": 1}}, []),
    ({"filters": {"number": {"gt": 117}}}, ["118", "119"]),
    ({"filters": {"number": {"gte": 117.5, "lt": 119}}}, ["118"]),
    ({"filters": {"number": {"lte": 1}}}, ["000", "001"]),
    ({"filters": {"number": {"lt": -1e300}}}, []),
    ({"filters": {"number": {"gt": "0"}}}, []),
    ({"filters": {"number": {"in": [5, "6", None]}}}, ["005"]),
    ({"filters": {"colour": {"gte": "white"}, "number": {"lt": 8}}}, ["003", "007"]),
    ({"filters": {"colour": {"gt": 0}}}, []),
    ({"filters": {"rare": {"ne": False}}}, ["077"]),
    ({"filters": {"none": {"ne": None}}}, []),
    ({"filters": {"none": {"exists": False}}}, []),
    ({"filters": {"unknown": {"exists": True}}}, []),
    ({"filters": {"none": {"exists": True}, "number": {"eq": 3}}}, ["003"]),
    ({"filters": {"%s '\"": {"gt": "%s '\""}}}, []),
    ({"updated": {"since": "2999-01-01T00:00:00Z"}}, []),
    ({"updated": {"before": "2000-01-01T00:00:00+02:00"}}, []),
    ({"updated": {"since": "2000-01-01T00:00:00Z"}, "tags": ["rare"]}, ["077"]),
    ({"filters": {"'; DROP TABLE search_items; --": "'"}}, []),
]
"""Conditions of a query, and the ids of the fixture `fruit` that meet them."""
WRONG = [
    ({"query": ""}, "body.query"),
    ({"query": " "}, "body.query"),
    ({"query": "a\x00"}, "body.query"),
    ({"query": "x" * 100_001}, "body.query"),
    ({"query": "a", "limit": 0}, "body.limit"),
    ({"query": "a", "limit": 1001}, "body.limit"),
    ({"query": "a", "entity_types": []}, "body.entity_types"),
    ({"query": "a", "tags": ["\x00"]}, "body.tags.0"),
    ({"query": "a", "filters": {"a": {"b": 1}}}, "body.filters.a"),
    ({"query": "a", "filters": {"a": []}}, "body.filters.a"),
    ({"query": "a", "filters": {"a": {"gt": None}}}, "body.filters.a"),
    ({"query": "a", "filters": {"a": {"gt": 1, "lt": "b"}}}, "body.filters.a"),
    ({"query": "a", "cursor": "none"}, "body.cursor"),
    ({"query": "a", "offset": 10_000}, "body"),
    ({"query": "\x01\x02\t"}, "body.query"),
    ({"query": "a" * 10_001}, "body.query"),
    ({"query": "a", "unknown": 1}, "body.unknown"),
]
"""A body that is refused, and the field that the answer names."""


@pytest.fixture
async def fruit(api, node):
    """Items above the number that is compared exactly: 120, of which 30 have each colour and one is rare."""
    await api.index_and_wait(
        *(
            item(
                f"{number:03}",
                f"{COLOURS[number % 4]} fruit number{number}",
                metadata={"colour": COLOURS[number % 4], "number": number, "rare": number == 77, "none": None},
                tags=[COLOURS[number % 4], *(["rare"] if number == 77 else [])],
            )
            for number in range(120)
        )
    )
    return api


async def numbers_of(connection, ids):
    """Return id → number of some items."""
    cursor = await connection.execute("SELECT entity_id, number FROM search_items WHERE entity_id = ANY (%s)", (ids,))
    return {row["entity_id"]: row["number"] for row in await cursor.fetchall()}


async def count_reads(connection, table):
    """Return how many rows of a table this connection has read, by whatever index of all rows or none.

    Indexes of some rows are not counted: what left them is read once more, until someone has noticed that it is gone.
    """
    cursor = await connection.execute(
        """
        SELECT sum(pg_stat_get_xact_tuples_returned(oid))::int AS read FROM (
            SELECT %(table)s::regclass::oid AS oid
            UNION ALL SELECT indexrelid FROM pg_index
            WHERE indrelid = %(table)s::regclass AND indpred IS NULL
        ) t
        """,
        {"table": table},
    )
    return (await cursor.fetchone())["read"]


async def count_walks(connection, space_id: int) -> int:
    """Return how often this connection walked the HNSW index."""
    cursor = await connection.execute(
        "SELECT pg_stat_get_xact_numscans(%s::regclass) AS walks", (f"embeddings_{space_id}_hnsw",)
    )
    return (await cursor.fetchone())["walks"]


class TestSearch:
    @pytest.mark.usefixtures("node")
    async def test_the_nearest_item_comes_first_with_all_that_is_known_of_it(self, api):
        await api.index_and_wait(item("1", "red apple", metadata={"a": [1, {"b": None}]}, tags=["x"]), item("2", "car"))

        answer = (await api.search("red apple")).json()

        best = answer["results"][0]
        assert best.pop("score") == pytest.approx(1, abs=1e-2)
        assert best == {
            "entity_type": "doc",
            "entity_id": "1",
            "text": "red apple",
            "metadata": {"a": [1, {"b": None}]},
            "tags": ["x"],
        }
        assert (answer["strategy"], answer["complete"]) == ("exact", True)
        assert (answer["model"], answer["version"]) == ("text-embedder", "1")

    @pytest.mark.usefixtures("node")
    async def test_equal_scores_are_ordered_by_key(self, api):
        await api.index_and_wait(*(item(key, "same text") for key in ("c", "a", "b")))

        assert await api.found("text") == ["a", "b", "c"]

    @pytest.mark.usefixtures("space")
    async def test_an_empty_index_gives_an_empty_answer(self, api):
        answer = (await api.search("anything")).json()

        assert (answer["results"], answer["complete"]) == ([], True)

    @pytest.mark.usefixtures("space")
    async def test_items_that_wait_make_the_answer_incomplete(self, api):
        await api.index(item("1", "red apple"))

        assert (await api.search("apple")).json()["complete"] is False
        assert (await api.search("apple", tags=["other"])).json()["complete"] is True

    async def test_only_items_that_meet_the_conditions_are_found(self, fruit):
        for conditions, expected in CONDITIONS:
            assert sorted(await fruit.found("fruit", **conditions)) == expected, conditions

    async def test_few_matches_are_compared_exactly_and_many_by_index(self, fruit):
        few = (await fruit.search("red fruit", filters={"colour": "red"}, limit=30)).json()
        many = (await fruit.search("red fruit", limit=30)).json()

        assert (few["strategy"], len(few["results"])) == ("exact", 30)
        assert (many["strategy"], len(many["results"])) == ("plain", 30)
        assert {result["metadata"]["colour"] for result in many["results"]} == {"red"}

    @pytest.mark.usefixtures("fruit")
    async def test_the_index_finds_what_comparing_everything_finds(self, kernel, space):
        vector = "[" + ",".join(map(str, WordEncoder().encode(["blue fruit number42"])[0])) + "]"
        settings = vector_repository.walk_settings(10, 1000, 20_000)
        async with kernel.database.reading("acme", settings) as connection:
            exact = await vector_repository.search_exact(connection, space.id, vector, Filters(), 10)
            walked = await vector_repository.search_hnsw(connection, space.id, vector, Filters(), 10)

        assert [score for *_, score in walked] == pytest.approx([score for *_, score in exact])
        assert exact[0][1] == walked[0][1] == "042"

    @pytest.mark.usefixtures("fruit")
    async def test_the_index_is_walked_and_not_passed_over_by_the_planner(self, kernel, space):
        vector = "[" + ",".join(["1"] * space.dimension) + "]"
        async with kernel.database.reading("acme", vector_repository.walk_settings(10, 1000, 20_000)) as connection:
            before = await count_walks(connection, space.id)
            await vector_repository.search_hnsw(connection, space.id, vector, Filters(tags=["red"]), 10)
            assert await count_walks(connection, space.id) == before + 1

    @pytest.mark.usefixtures("fruit")
    async def test_a_walk_that_compares_on_the_way_finds_the_same(self, kernel, space):
        vector = "[" + ",".join(map(str, WordEncoder().encode(["blue fruit number42"])[0])) + "]"
        async with kernel.database.reading("acme", vector_repository.walk_settings(10, 1000, 20_000)) as connection:
            numbers = await numbers_of(connection, ["007", "042"])
            others = [*numbers.values(), 10**9]
            before = await count_walks(connection, space.id)
            walked, compared = await vector_repository.search_hnsw_and_compare(
                connection, space.id, vector, Filters(tags=["red"]), limit=10, others=others
            )
            assert await count_walks(connection, space.id) == before + 1
            assert walked == await vector_repository.search_hnsw(
                connection, space.id, vector, Filters(tags=["red"]), 10
            )
            assert sorted(compared) == sorted(await vector_repository.compare(connection, space.id, vector, others))

        assert len(walked) == 10
        assert {one.entity_id: one.number for one in compared} == numbers
        assert next(one.similarity for one in compared if one.entity_id == "042") == pytest.approx(1.0)

    @pytest.mark.usefixtures("fruit")
    async def test_to_compare_few_items_the_vectors_of_others_are_not_read(self, kernel, space, database_urls):
        vector = "[" + ",".join(["1"] * space.dimension) + "]"
        with psycopg.connect(database_urls.owner, autocommit=True) as owner:
            owner.execute(f"ANALYZE embeddings_{space.id}")
        async with kernel.database.reading("acme", vector_repository.COMPARING) as connection:
            before = await count_reads(connection, f"embeddings_{space.id}")
            await vector_repository.search_exact(connection, space.id, vector, Filters(tags=["rare"]), 10)
            assert await count_reads(connection, f"embeddings_{space.id}") == before + 1

    @pytest.mark.usefixtures("fruit")
    async def test_an_item_that_failed_does_not_have_all_others_read(self, kernel, space, database_urls):
        vector = "[" + ",".join(["1"] * space.dimension) + "]"
        with psycopg.connect(database_urls.owner, autocommit=True) as owner:
            owner.execute("UPDATE search_items SET state = 'failed', error = 'too long' WHERE entity_id = '042'")
            owner.execute(f"ANALYZE search_items, embeddings_{space.id}")
        async with kernel.database.reading("acme", vector_repository.walk_settings(10, 1000, 20_000)) as connection:
            before = await count_reads(connection, "search_items")
            await vector_repository.search_hnsw(connection, space.id, vector, Filters(), 10)
            assert await count_reads(connection, "search_items") < before + 60

    @pytest.mark.usefixtures("fruit")
    async def test_an_old_vector_counts_no_more_while_others_are_found(self, kernel, space):
        vector = "[" + ",".join(map(str, WordEncoder().encode(["blue fruit number42"])[0])) + "]"
        change = "UPDATE search_items SET state = %s, error = %s WHERE tenant_id = 'acme' AND entity_id = %s"
        async with kernel.database.transaction(
            "acme", vector_repository.walk_settings(200, 1000, 20_000)
        ) as connection:
            numbers = await numbers_of(connection, ["042", "046", "050"])
            current = set(numbers)
            for state, error, waiting in (("pending", None, "042"), ("failed", "too long", "046")):
                await connection.execute(change, (state, error, waiting))
                current.remove(waiting)
                walked = await vector_repository.search_hnsw(connection, space.id, vector, Filters(), 200)
                compared = await vector_repository.compare(connection, space.id, vector, numbers.values())

                assert len(walked) == 120 - (3 - len(current))
                assert {one.entity_id for one in walked} >= current
                assert {one.entity_id for one in compared if one.similarity is not None} == current
                assert {one.entity_id: one.number for one in compared} == numbers

    @pytest.mark.usefixtures("node")
    async def test_when_the_index_stops_early_everything_is_compared(self, api, app):
        ranker = app.state.searcher._ranker
        ranker._vectors._scan_tuples = 1
        ranker.window = ranker._few = 50  # nearly all that are far, which the first step of a walk never has
        near = [item(f"near{number}", f"red fruit number{number}") for number in range(900)]
        far = [item(f"far{number}", f"grey stone number{number}", tags=["far"]) for number in range(52)]
        await api.index_and_wait(*near, *far)

        answer = (await api.search("red fruit", tags=["far"], limit=52)).json()

        assert (answer["strategy"], len(answer["results"])) == ("exact_after_iterative", 52)

    async def test_never_fewer_results_than_exist(self, fruit):
        for limit in (1, 29, 30, 31, 100, 119, 120, 1000):
            assert len(await fruit.found("fruit", limit=limit)) == min(limit, 120)
            assert len(await fruit.found("fruit", limit=limit, tags=["blue"])) == min(limit, 30)

    @pytest.mark.usefixtures("space")
    async def test_a_wrong_query_is_refused_and_its_field_named(self, api):
        for body, field in WRONG:
            answer = await api.search(**body)
            assert answer.status_code == 422, body.keys()
            assert answer.json()["errors"][0]["field"].startswith(field)


class TestDependencies:
    @pytest.mark.usefixtures("space")
    async def test_a_dead_embedding_service_is_named(self, api, embedding_server):
        embedding_server.status = 500

        answer = await api.search("apple", mode="vector")

        assert (answer.status_code, answer.json()["code"]) == (503, "dependency_unavailable")
        assert "embedding" in answer.json()["detail"]
        assert "Retry-After" in answer.headers

    @pytest.mark.usefixtures("space")
    async def test_one_that_nothing_listens_for_is_too(self, api, app, settings):
        app.state.searcher._ranker._embedder._embedding._settings = settings.model_copy(
            update={"embedding_url": "http://127.0.0.1:9"}
        )

        assert (await api.search("apple", mode="vector")).status_code == 503

    @pytest.mark.usefixtures("space")
    async def test_vectors_of_another_dimension_are_refused(self, api, embedding_server):
        embedding_server.dimensions = 8

        answer = await api.search("apple", mode="vector")

        assert (answer.status_code, answer.json()["code"]) == (409, "embedding_space_mismatch")
        assert "8 dimensions" in answer.json()["detail"]

    @pytest.mark.usefixtures("space")
    async def test_vectors_of_other_weights_are_refused(self, api, embedding_server):
        embedding_server.digest = "b" * 64

        assert (await api.search("apple", mode="vector")).status_code == 409

    async def test_without_a_space_the_embedding_service_is_waited_for(self, api):
        assert (await api.search("apple", mode="vector")).status_code == 503

    @pytest.mark.usefixtures("space")
    async def test_the_query_is_embedded_for_the_callers_tenant(self, api, embedding_server, kernel):
        await api.search("apple", mode="vector")

        (authorization,) = embedding_server.authorizations
        principal = await kernel.authenticator._tokens.verify(authorization.removeprefix("Bearer "))
        assert (principal.tenant, principal.roles) == ("acme", {Role.SERVICE})

    async def test_readiness_names_what_is_down(self, app, settings):
        kernel = app.state.kernel
        app.state.searcher._ranker._embedder._embedding._settings = settings.model_copy(
            update={"embedding_url": "http://127.0.0.1:9"}
        )

        report = await kernel.health.report()

        assert report.checks["postgres"].status == "ok"
        assert report.checks["embedding"].status == "failed"


@pytest.mark.usefixtures("space")
class TestAccess:
    async def test_a_viewer_may_read_and_not_search_or_index(self, client, settings):
        viewer = SearchApi(client, settings, "acme", [Role.VIEWER])

        assert (await viewer.get("1")).status_code == 404
        assert (await viewer.search("apple")).status_code == 403
        assert (await viewer.index(item("1", "text"))).status_code == 403
        assert (await viewer.delete("1")).status_code == 403

    async def test_a_user_may_search_and_not_index(self, client, settings):
        user = SearchApi(client, settings, "acme", [Role.USER])

        assert (await user.search("apple")).status_code == 200
        assert (await user.index(item("1", "text"))).status_code == 403
