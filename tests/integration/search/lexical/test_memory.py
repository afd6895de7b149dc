"""Postings in memory: what a leg that has searched before finds, against one that reads everything."""

import random

import psycopg
import pytest

from services.search.filters import Filters
from services.search.lexical import BlockMemory, LexicalLeg, parse_query
from services.search.lexical import repository as lexical_repository
from tests.integration.search.lexical.oracle import WORDS
from tests.integration.search.lexical.shelf import MEMORY

QUERY = 'yak ibex gnu zebu "red deer"'
READ = """
    SELECT sum(pg_stat_get_xact_tuples_returned(oid))::int AS read FROM (
        SELECT 'search_postings'::regclass::oid AS oid
        UNION ALL SELECT indexrelid FROM pg_index WHERE indrelid = 'search_postings'::regclass
    ) t
"""


async def search(shelf, leg, query=QUERY):
    """Return the hits of a leg, and how many statements asked for postings."""
    asked = []

    class Cursor(psycopg.AsyncCursor):
        async def execute(self, query, params=None, **options):
            text = query if isinstance(query, bytes) else query.as_bytes(self)
            asked.append(b"p.entries" in text)
            return await super().execute(query, params, **options)

    async with shelf.database.transaction(shelf.tenant) as connection:
        connection.cursor_factory = Cursor
        found = await leg.search(connection, shelf.tenant, parse_query(query), Filters(), 1000)
        return [(hit.entity_id, hit.score) for hit in found.hits], sum(asked)


async def fresh(shelf, query=QUERY):
    """Return the hits of a leg that knows nothing and reads the terms first and then their postings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lexical_repository, "LISTED_TERMS", 0)
        hits, asked = await search(shelf, LexicalLeg(BlockMemory(0)), query)
    assert asked == 2
    return hits


@pytest.fixture(params=[1, 2, 512])
def large(request, monkeypatch):
    """How many postings a row has that is only read when it is not known: all rows, some, none."""
    monkeypatch.setattr(lexical_repository, "KNOWN_POSTINGS", request.param)
    return request.param


@pytest.fixture
async def herd(shelf, large):
    """Some segments."""
    await shelf.put(a="yak ibex red deer", b="yak yak gnu")
    await shelf.put(c="ibex gnu red deer", d="deer red")
    return shelf


class TestMemory:
    async def test_no_postings_are_asked_for_again_as_long_as_nothing_changes(self, herd, large):
        first = await search(herd, herd.leg)
        again = await search(herd, herd.leg)

        assert first[1] == (1 if large == 512 else 2)
        assert again == (first[0], 1)
        assert first[0] == await fresh(herd)

    async def test_words_that_nothing_has_are_known_too(self, herd):
        assert (await search(herd, herd.leg, "walrus yak"))[0] == await fresh(herd, "walrus yak")
        assert (await search(herd, herd.leg, "walrus yak"))[1] == 1

    async def test_a_required_word_that_nothing_has_finds_nothing(self, herd):
        for _ in range(2):
            assert (await search(herd, herd.leg, '"walrus" yak'))[0] == []

    async def test_what_is_written_deleted_merged_and_purged_is_seen(self, herd, maintenance):
        await search(herd, herd.leg)
        steps = (
            lambda: herd.put(e="zebu yak red deer"),
            lambda: herd.put(a="gnu"),
            lambda: herd.delete("b"),
            maintenance.settle,
            lambda: herd.put(f="yak"),
            lambda: herd.delete("c", "d", "e"),
            maintenance.settle,
        )
        for number, step in enumerate(steps):
            await step()
            for _ in range(2):
                assert (await search(herd, herd.leg))[0] == await fresh(herd), number

    async def test_what_is_committed_late_is_seen(self, herd):
        async with herd.database.transaction("acme") as early:
            await early.execute(
                "INSERT INTO search_items (tenant_id, entity_type, entity_id, text, content_sha256, state)"
                " SELECT tenant_id, entity_type, 'early', 'zebu yak', content_sha256, state FROM search_items"
                " WHERE entity_id = 'b'"
            )
            await herd.put(late="zebu ibex")
            before = (await search(herd, herd.leg, "zebu yak"))[0]
        after = (await search(herd, herd.leg, "zebu yak"))[0]

        assert "early" not in dict(before)
        assert "early" in dict(after)
        assert after == await fresh(herd, "zebu yak")

    async def test_tenants_know_nothing_of_each_other(self, herd, other):
        await other.put(x="yak yak yak")
        await search(herd, herd.leg)
        other.leg = herd.leg

        assert (await search(other, other.leg))[0] == await fresh(other)
        assert (await search(herd, herd.leg))[0] == await fresh(herd)


class TestOneStatement:
    """Terms and their postings are read together where no row is large and unknown."""

    @pytest.fixture
    async def pasture(self, shelf, monkeypatch):
        """Yaks in a large row, and a few ibexes."""
        monkeypatch.setattr(lexical_repository, "KNOWN_POSTINGS", 4)
        await shelf.put(**{f"yak{n}": "yak " * n for n in range(1, 6)})
        await shelf.put(a="ibex yak", b="ibex gnu")
        return shelf

    async def test_is_enough_for_a_new_word(self, pasture):
        assert await search(pasture, pasture.leg, "ibex gnu") == (await fresh(pasture, "ibex gnu"), 1)

    async def test_is_enough_for_a_word_that_nothing_has(self, pasture):
        assert await search(pasture, LexicalLeg(BlockMemory(MEMORY)), '"walrus" ibex') == ([], 1)

    async def test_is_enough_for_a_new_word_beside_a_large_row_that_is_known(self, pasture):
        await search(pasture, pasture.leg, "yak")

        assert await search(pasture, pasture.leg, "yak ibex") == (await fresh(pasture, "yak ibex"), 1)

    async def test_is_enough_after_a_write(self, pasture):
        await search(pasture, pasture.leg, "yak ibex")
        await pasture.put(b="yak yak", yak2="ibex")
        await pasture.delete("yak3")

        assert await search(pasture, pasture.leg, "yak ibex") == (await fresh(pasture, "yak ibex"), 1)

    async def test_is_not_enough_for_a_large_row_that_is_not_known(self, pasture):
        assert await search(pasture, pasture.leg, "yak ibex") == (await fresh(pasture, "yak ibex"), 2)

    async def test_is_not_enough_for_a_large_row_that_is_another_now(self, pasture, maintenance):
        await search(pasture, pasture.leg, "yak ibex")
        await pasture.delete("yak2")
        await maintenance.settle()

        assert await search(pasture, pasture.leg, "yak ibex") == (await fresh(pasture, "yak ibex"), 2)
        assert await search(pasture, pasture.leg, "yak ibex") == (await fresh(pasture, "yak ibex"), 1)

    async def test_is_not_enough_for_a_long_query(self, pasture, monkeypatch):
        monkeypatch.setattr(lexical_repository, "LISTED_TERMS", 1)

        assert await search(pasture, pasture.leg, "ibex gnu") == (await fresh(pasture, "ibex gnu"), 2)
        assert (await search(pasture, pasture.leg, "ibex"))[1] == 1

    async def test_is_not_enough_for_more_postings_than_are_looked_at(self, pasture, monkeypatch):
        monkeypatch.setattr(lexical_repository, "MOST_POSTINGS", 3)
        await pasture.put(c="gnu ibex", d="gnu ibex")

        for _ in range(2):
            assert await search(pasture, pasture.leg, "gnu ibex") == (await fresh(pasture, "gnu ibex"), 2)

    async def test_leaves_no_deleted_word(self, pasture):
        await pasture.delete("b")

        for _ in range(2):
            assert await search(pasture, pasture.leg, "gnu ibex") == (await fresh(pasture, "ibex"), 1)
            assert await search(pasture, pasture.leg, '"gnu" ibex') == ([], 1)

    async def test_looks_up_its_terms_though_it_was_planned_when_there_was_nothing(self, shelf):
        async with shelf.database.reading(shelf.tenant) as connection:
            for _ in range(3):
                await lexical_repository.read_words(connection, "yak ibex", ())
            await shelf.put(**{str(n): f"yak gnu{n} oryx{n} puma{n} lynx{n}" for n in range(500)})
            before = await (await connection.execute(READ)).fetchone()
            words = await lexical_repository.read_words(connection, "yak ibex", ())
            after = await (await connection.execute(READ)).fetchone()

        assert [row["term"] for row in words.rows] == ["yak"]
        assert after["read"] - before["read"] < 10


@pytest.mark.parametrize("seed", range(4))
class TestRandomHistories:
    async def test_answers_are_those_of_a_leg_that_reads_everything(self, shelf, maintenance, large, seed):
        chance = random.Random(seed)  # noqa: S311 - chooses the steps of a test
        asked = []
        for _ in range(30):
            keys = [str(chance.randrange(20)) for _ in range(chance.randint(1, 6))]
            step = chance.random()
            if step < 0.6:
                await shelf.put(**{key: " ".join(chance.choices(WORDS, k=chance.randint(1, 8))) for key in keys})
            elif step < 0.8:
                await shelf.delete(*keys)
            else:
                await maintenance.step()
            words = chance.choices((*WORDS, "walrus"), k=chance.randint(1, 5))
            query = " ".join(f'"{word}"' if chance.random() < 0.1 else word for word in words)
            hits, statements = await search(shelf, shelf.leg, query)
            assert hits == await fresh(shelf, query)
            asked.append(statements)
        assert max(asked) == (1 if large == 512 else 2)
