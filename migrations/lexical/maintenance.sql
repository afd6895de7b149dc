-- What the search service calls in the background; see versions/0009_lexical.py.

-- Joins the segments of one level of one tenant into one, where there are many; returns how many, 0 when there is
-- nothing to do. A segment ends up in about one merge per level. Those of a few million postings are left alone, so
-- that no merge takes longer than a statement may.
CREATE FUNCTION merge_search_segments() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET work_mem = '64MB' SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    candidate record;
    chosen bigint[];
    target bigint;
BEGIN
    FOR candidate IN
        SELECT s.tenant_id, s.level FROM search_segments s WHERE s.level < 5
        GROUP BY s.tenant_id, s.level HAVING count(*) >= 8 ORDER BY s.level, count(*) DESC
    LOOP
        CONTINUE WHEN NOT pg_try_advisory_xact_lock(7_408_001, hashtext(candidate.tenant_id));
        SELECT array_agg(o.segment) INTO chosen FROM (
            SELECT s.segment, sum(s.entries + s.removed) OVER (ORDER BY s.segment) AS reached,
                row_number() OVER (ORDER BY s.segment) AS position
            FROM search_segments s WHERE s.tenant_id = candidate.tenant_id AND s.level = candidate.level
        ) o WHERE o.reached <= 4_000_000 OR o.position <= 2;
        CONTINUE WHEN coalesce(cardinality(chosen), 0) < 2;
        target := nextval('search_numbers');
        INSERT INTO search_postings (tenant_id, term, segment, added, removed, entries, dead)
        SELECT p.tenant_id, p.term, target, sum(p.added), sum(p.removed), string_agg(p.entries, ''),
            string_agg(p.dead, '')
        FROM search_postings p WHERE p.tenant_id = candidate.tenant_id AND p.segment = ANY (chosen)
        GROUP BY p.tenant_id, p.term ORDER BY p.term;
        DELETE FROM search_postings p WHERE p.tenant_id = candidate.tenant_id AND p.segment = ANY (chosen);
        WITH old AS (
            DELETE FROM search_segments s WHERE s.tenant_id = candidate.tenant_id AND s.segment = ANY (chosen)
            RETURNING s.*
        )
        INSERT INTO search_segments (tenant_id, segment, level, documents, tokens, entries, removed, oldest)
        SELECT candidate.tenant_id, target, search_level(sum(entries + removed)::bigint), sum(documents), sum(tokens),
            sum(entries), sum(removed), min(oldest)
        FROM old;
        RETURN cardinality(chosen);
    END LOOP;
    RETURN 0;
END
$$;

-- Takes dead numbers out of some terms of one tenant, where they are a tenth of its postings or more, or of those terms
-- that have had some for a day, so that no word of a deleted text stays for good; returns of how many terms. A dead
-- number and the posting it ends are in rows that both exist, since the posting was there first.
-- Without nested loops, since nobody can tell the planner how many postings a row holds.
CREATE FUNCTION purge_search_postings() RETURNS integer
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
        FROM held h CROSS JOIN LATERAL generate_series(0, h.removed - 1) AS i
    ), kept AS MATERIALIZED (
        SELECT e.term, e.segment, count(*) AS added, string_agg(e.entry, '') AS entries
        FROM (
            SELECT h.term, h.segment, substring(h.entries FROM 8 * i + 1 FOR 8) AS entry
            FROM held h CROSS JOIN LATERAL generate_series(0, h.added - 1) AS i
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

-- Indexes items that have no words yet, as those older than this schema, and those in another language than their
-- type's; returns how many, 0 when there are none. Items that somebody is just writing are passed over.
CREATE FUNCTION index_search_items_anew(most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    done integer;
    changed record;
BEGIN
    UPDATE search_items i SET number = nextval('search_numbers')
    FROM (
        SELECT w.tenant_id, w.entity_type, w.entity_id FROM search_items w WHERE w.number IS NULL
        LIMIT most FOR UPDATE SKIP LOCKED
    ) w
    WHERE i.tenant_id = w.tenant_id AND i.entity_type = w.entity_type AND i.entity_id = w.entity_id;
    GET DIAGNOSTICS done = ROW_COUNT;
    IF done > 0 THEN
        RETURN done;
    END IF;
    -- Looked at twice: a transaction that began before the change may still have written in the old language.
    FOR changed IN
        SELECT l.* FROM search_languages l
        WHERE l.pending AND (l.checked_at IS NULL OR l.changed_at < now() - interval '10 minutes')
    LOOP
        UPDATE search_items i SET number = nextval('search_numbers')
        FROM (
            SELECT w.tenant_id, w.entity_type, w.entity_id
            FROM search_items w JOIN search_documents d ON d.tenant_id = w.tenant_id AND d.number = w.number
            WHERE w.tenant_id = changed.tenant_id AND w.entity_type = changed.entity_type
                AND d.language <> changed.language
            LIMIT most FOR UPDATE OF w SKIP LOCKED
        ) w
        WHERE i.tenant_id = w.tenant_id AND i.entity_type = w.entity_type AND i.entity_id = w.entity_id;
        GET DIAGNOSTICS done = ROW_COUNT;
        IF done > 0 THEN
            RETURN done;
        END IF;
        UPDATE search_languages l SET checked_at = now(), pending = l.changed_at >= now() - interval '10 minutes'
        WHERE l.tenant_id = changed.tenant_id AND l.entity_type = changed.entity_type
            AND l.changed_at = changed.changed_at;
    END LOOP;
    RETURN 0;
END
$$;


REVOKE ALL ON FUNCTION merge_search_segments(), purge_search_postings(), index_search_items_anew(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION merge_search_segments(), purge_search_postings(), index_search_items_anew(integer) TO ml_app;
