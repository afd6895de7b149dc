"""Upkeep of postings where there are many."""

import psycopg
import pytest

TERMS = 20
POSTINGS = 2000
FILL = """
    INSERT INTO search_postings (tenant_id, term, segment, added, removed, entries, dead)
    SELECT 'acme', 'w' || term, 1, %(postings)s, %(postings)s / 2, string_agg(int8send(number << 26), ''),
        string_agg(int8send(number), '') FILTER (WHERE number %% 2 = 0)
    FROM generate_series(1, %(terms)s) AS term, generate_series(1::bigint, %(postings)s) AS number GROUP BY term
"""
SEGMENT = """
    INSERT INTO search_segments (tenant_id, segment, level, documents, tokens, entries, removed, oldest)
    SELECT 'acme', 1, 5, %(postings)s / 2, 1000, stored, stored / 2, now()
    FROM (SELECT %(terms)s::integer * %(postings)s AS stored) s
"""
SPILLED = "SELECT pg_stat_force_next_flush(), temp_bytes FROM pg_stat_database WHERE datname = current_database()"
KEPT = "SELECT added, removed, octet_length(entries), octet_length(dead) FROM search_postings"


class TestPurge:
    @pytest.fixture
    def deleted(self, database_urls):
        """Terms with long rows, half of whose postings are of deleted items."""
        with psycopg.connect(database_urls.owner, autocommit=True) as owner:
            for statement in (FILL, SEGMENT):
                owner.execute(statement, {"terms": TERMS, "postings": POSTINGS})
            yield owner

    async def test_what_it_writes_aside_does_not_grow_with_the_length_of_a_row(self, deleted, maintenance):
        before = deleted.execute(SPILLED).fetchone()[1]

        await maintenance.settle()

        deleted.execute(SPILLED)
        assert deleted.execute(SPILLED).fetchone()[1] - before < 32_000_000
        assert deleted.execute(KEPT).fetchall() == [(POSTINGS // 2, 0, POSTINGS * 4, 0)] * TERMS
        segment = deleted.execute("SELECT entries, removed, oldest FROM search_segments").fetchone()
        assert segment == (TERMS * POSTINGS // 2, 0, None)
