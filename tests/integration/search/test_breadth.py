"""How much of the index the walk of a query keeps in sight."""

import asyncio
from dataclasses import replace

import pytest

from mlplatform.errors import DependencyUnavailable
from services.search.lexical import repository as lexical_repository
from services.search.query import vector_leg, vector_repository
from tests.integration.search.api import item

APPLES = 40
MUCH, LITTLE = {"query": "apple"}, {"query": "pear"}


@pytest.fixture
def settings(settings):
    """More items than are compared one by one, and ten candidates of each leg."""
    return settings.model_copy(
        update={"search_exact_rows": 20, "search_page_candidates": 10, "search_cache_entries": 0}
    )


@pytest.fixture
async def orchard(api, node):
    """Many items with one word, and few with another one."""
    texts = [f"apple {key}" for key in range(APPLES)] + ["pear", "pear tree"]
    await api.index_and_wait(*(item(str(key), text, tags=["fruit"]) for key, text in enumerate(texts)))
    return api


@pytest.fixture
def walks(monkeypatch):
    """What each transaction that walked the index kept in sight: less than usual, or as much."""
    settings, seen = vector_repository.walk_settings, []

    def note(*given, narrow=False, filtered=False):
        seen.append("less" if narrow else "all")
        return settings(*given, narrow=narrow, filtered=filtered)

    monkeypatch.setattr(vector_repository, "walk_settings", note)
    return seen


@pytest.fixture(params=["while it walks", "after it"])
def slow_words(request, monkeypatch):
    """Have words found while vectors are searched, or after that."""
    read, begun, walked, found = lexical_repository.read_scorer, asyncio.Event(), asyncio.Event(), asyncio.Event()
    until = begun if request.param == "while it walks" else walked

    async def wait(*given):
        await until.wait()
        scorer = await read(*given)
        found.set()
        return scorer

    for name in ("search_hnsw", "search_hnsw_and_compare"):
        search = getattr(vector_repository, name)

        async def walk(*given, search=search, **more):
            begun.set()
            if until is begun:
                await found.wait()
                await asyncio.sleep(0.05)  # until the leg has ended too, in the time that it waits for vectors
            try:
                return await search(*given, **more)
            finally:
                walked.set()

        monkeypatch.setattr(vector_repository, name, walk)
    monkeypatch.setattr(lexical_repository, "read_scorer", wait)


@pytest.fixture
def lacking(monkeypatch):
    """The item that each narrow walk has left out: the first it found."""
    search, left_out = vector_leg.VectorLeg.search, []

    async def leave_out(leg, *given, narrow, **more):
        found = await search(leg, *given, narrow=narrow, **more)
        if not narrow:
            return found
        left_out.append(found.hits[0][1])
        return replace(found, hits=found.hits[1:])

    monkeypatch.setattr(vector_leg.VectorLeg, "search", leave_out)
    return left_out


async def answer(api, query, **more):
    found = (await api.search(limit=5, **query, **more)).json()
    assert (len(found["results"]), found["degraded"]) == (5, [])
    return found


@pytest.mark.usefixtures("quick_words")
@pytest.mark.parametrize("conditions", [{}, {"tags": ["fruit"]}], ids=["all", "filtered"])
@pytest.mark.parametrize(
    ("query", "kept"),
    [
        (MUCH, "less"),
        (MUCH | {"weight": 0.7}, "all"),
        (MUCH | {"fusion": "rrf"}, "all"),
        (MUCH | {"mode": "vector"}, "all"),
        (LITTLE, "all"),
        ({"query": "the and of"}, "all"),
    ],
    ids=["words find much", "vectors decide", "by ranks", "by vectors alone", "words find little", "no words"],
)
async def test_it_is_less_only_where_words_make_up_for_it(orchard, walks, query, kept, conditions):
    await answer(orchard, query, **conditions)

    assert walks == [kept]


@pytest.mark.usefixtures("quick_words")
async def test_it_is_as_usual_while_items_wait_for_their_vectors(orchard, walks, kernel):
    async with kernel.database.transaction("acme") as connection:
        await connection.execute("UPDATE search_items SET state = 'pending' WHERE entity_id = '7'")
    await answer(orchard, MUCH)

    assert walks == ["all"]


@pytest.mark.usefixtures("slow_words")
class TestSlowWords:
    """It does not depend on how long words take."""

    async def test_it_is_less_where_they_find_much(self, orchard, walks):
        await answer(orchard, MUCH)

        assert walks == ["less"]

    @pytest.mark.parametrize("conditions", [{}, {"tags": ["fruit"]}], ids=["all", "filtered"])
    async def test_the_index_is_walked_again_where_they_find_little(
        self, orchard, walks, lacking, embedding_server, conditions
    ):
        """What the first walk has missed is there then."""
        found = await answer(orchard, LITTLE, explain=True, **conditions)

        assert walks == ["less", "all"]
        assert lacking == ["40"]
        ranks = {result["entity_id"]: result["explain"]["vector"]["rank"] for result in found["results"]}
        assert ranks["40"] == 1
        assert len(embedding_server.asked) == 1

    async def test_what_was_found_counts_where_that_fails(self, orchard, walks, monkeypatch):
        async def fail(*_, **__):
            raise DependencyUnavailable("postgres")

        search = vector_leg.VectorLeg.search

        async def fail_second(leg, *given, narrow, **more):
            return await (search(leg, *given, narrow=narrow, **more) if narrow else fail())

        monkeypatch.setattr(vector_leg.VectorLeg, "search", fail_second)
        found = await answer(orchard, LITTLE)

        assert sorted(result["entity_id"] for result in found["results"][:2]) == ["40", "41"]
        assert walks == ["less"]


@pytest.mark.usefixtures("quick_words")
async def test_the_walk_has_its_settings_whatever_the_query_before_had(orchard, monkeypatch, walks):
    search, kept = vector_repository.search_hnsw_and_compare, []

    async def look(connection, *given, **more):
        row = await (await connection.execute("SELECT current_setting('hnsw.ef_search') AS kept")).fetchone()
        kept.append(int(row["kept"]))
        return await search(connection, *given, **more)

    monkeypatch.setattr(vector_repository, "search_hnsw_and_compare", look)
    monkeypatch.setattr(vector_repository, "BREADTH", 10)
    monkeypatch.setattr(vector_repository, "LARGE_INDEX", 1)
    monkeypatch.setattr(vector_repository, "GROWTH", 0)
    for query in (MUCH, MUCH, LITTLE, MUCH, LITTLE, LITTLE):
        await answer(orchard, query)

    assert walks == ["less", "less", "all", "less", "all", "all"]
    assert kept == [100, 100, 130, 100, 130, 130]
