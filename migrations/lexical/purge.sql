-- Takes dead numbers out of some terms of one tenant, where they are a tenth of its postings or more, or of those terms
-- that have had some for a day, so that no word of a deleted text stays for good; returns of how many terms. A dead
-- number and the posting it ends are in rows that both exist, since the posting was there first.
-- Without nested loops, since nobody can tell the planner how many postings a row holds. `OFFSET 0` has a posting cut out
-- of its row before it is sorted or hashed: Postgres would carry the whole row along for each of them.
CREATE OR REPLACE FUNCTION purge_search_postings() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET work_mem = '64MB' SET jit = off
SET enable_nestloop = off SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    tenant text;
    many boolean;
    chosen text[];
BEGIN
    SELECT s.tenant_id, sum(s.removed) * 10 >= sum(s.entries) INTO tenant, many FROM search_segments s
    GROUP BY s.tenant_id
    HAVING sum(s.removed) > 0
        AND (sum(s.removed) * 10 >= sum(s.entries) OR min(s.oldest) < now() - interval '1 day')
        AND pg_try_advisory_xact_lock(7_408_001, hashtext(s.tenant_id))
    LIMIT 1;
    SELECT array_agg(o.term) INTO chosen FROM (
        SELECT p.term, sum(sum(p.added)) OVER (ORDER BY p.term) AS reached,
            row_number() OVER (ORDER BY p.term) AS position
        FROM search_postings p
        WHERE p.tenant_id = tenant AND p.term IN (
            SELECT DISTINCT d.term FROM search_postings d
            WHERE d.tenant_id = tenant AND d.removed > 0 AND (many OR d.segment IN (
                SELECT a.segment FROM search_segments a
                WHERE a.tenant_id = tenant AND a.oldest < now() - interval '1 day'))
            ORDER BY d.term LIMIT 2000)
        GROUP BY p.term
    ) o WHERE o.reached <= 1_000_000 OR o.position = 1;

    -- One statement, one snapshot: rows that a writer adds meanwhile keep what they say is dead.
    WITH held AS (
        DELETE FROM search_postings p WHERE p.tenant_id = tenant AND p.term = ANY (chosen)
        RETURNING p.term, p.segment, p.added, p.removed, p.entries || '' AS entries, p.dead || '' AS dead
    ), dead AS (
        SELECT h.term, substring(h.dead FROM 8 * i + 1 FOR 8)::bigint AS number
        FROM held h CROSS JOIN LATERAL generate_series(0, h.removed - 1) AS i OFFSET 0
    ), kept AS MATERIALIZED (
        SELECT e.term, e.segment, count(*) AS added, string_agg(e.entry, '') AS entries
        FROM (
            SELECT h.term, h.segment, substring(h.entries FROM 8 * i + 1 FOR 8) AS entry
            FROM held h CROSS JOIN LATERAL generate_series(0, h.added - 1) AS i OFFSET 0
        ) e LEFT JOIN dead d ON d.term = e.term AND d.number = e.entry::bigint >> 26
        WHERE d.number IS NULL GROUP BY e.term, e.segment
    ), stored AS (
        INSERT INTO search_postings (tenant_id, term, segment, added, entries)
        SELECT tenant, k.term, k.segment, k.added, k.entries FROM kept k
    )
    UPDATE search_segments s SET entries = s.entries - c.entries, removed = s.removed - c.removed,
        oldest = CASE WHEN s.removed > c.removed THEN s.oldest END
    FROM (
        SELECT u.segment, sum(u.added) AS entries, sum(u.removed) AS removed
        FROM (
            SELECT h.segment, h.added, h.removed FROM held h UNION ALL SELECT k.segment, -k.added, 0 FROM kept k
        ) u GROUP BY u.segment
    ) c
    WHERE s.tenant_id = tenant AND s.segment = c.segment;
    RETURN coalesce(cardinality(chosen), 0);
END
$$;
