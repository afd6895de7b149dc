"""Postings in memory: what a leg that has searched before finds, against one that reads everything."""

import pytest

from services.search.filters import Filters
from services.search.lexical import BlockMemory, LexicalLeg, parse_query
from services.search.lexical import repository as lexical_repository

QUERY = 'yak ibex gnu zebu "red deer"'
READ = """
    SELECT sum(pg_stat_get_xact_tuples_returned(oid))::int AS read FROM (
        SELECT 'search_postings'::regclass::oid AS oid
        UNION ALL SELECT indexrelid FROM pg_index WHERE indrelid = 'search_postings'::regclass
    ) t
"""


async def search(shelf, leg, query=QUERY):
    """Return the hits of a leg, and how many rows of postings were read for them."""
    async with shelf.database.transaction(shelf.tenant) as connection:
        before = await (await connection.execute(READ)).fetchone()
        found = await leg.search(connection, shelf.tenant, parse_query(query), Filters(), 1000)
        after = await (await connection.execute(READ)).fetchone()
        return [(hit.entity_id, hit.score) for hit in found.hits], after["read"] - before["read"]


async def fresh(shelf, query=QUERY):
    """Return the hits of a leg that knows nothing."""
    return (await search(shelf, LexicalLeg(BlockMemory(0)), query))[0]


@pytest.fixture
async def herd(shelf, monkeypatch):
    """Some segments, and Postgres told of every block that is known."""
    monkeypatch.setattr(lexical_repository, "KNOWN_POSTINGS", 1)
    await shelf.put(a="yak ibex red deer", b="yak yak gnu")
    await shelf.put(c="ibex gnu red deer", d="deer red")
    return shelf


class TestMemory:
    async def test_nothing_is_read_again_as_long_as_nothing_changes(self, herd):
        first = await search(herd, herd.leg)
        again = await search(herd, herd.leg)

        assert first[1] > 0
        assert again == (first[0], 0)
        assert first[0] == await fresh(herd)

    async def test_words_that_nothing_has_are_known_too(self, herd):
        assert (await search(herd, herd.leg, "walrus yak"))[0] == await fresh(herd, "walrus yak")
        assert (await search(herd, herd.leg, "walrus yak"))[1] == 0

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
