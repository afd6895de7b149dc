-- What a large row keeps beside its entries: those of the highest impact, and for the rest the fewest tokens at each
-- number of occurrences. Whatever the mean length is later, no entry has more impact than the best of these.
-- `slope` is k1 * b / mean length when the row is written; it only decides which entries count as the highest.
CREATE FUNCTION pack_search_entries(entries bigint[], slope double precision)
RETURNS TABLE (
    first_number bigint, last_number bigint, top bigint[], upper bigint[],
    peak integer[], peak_below_top integer[], peak_below_upper integer[]
)
LANGUAGE sql STRICT STABLE SET search_path = pg_catalog, public, pg_temp
AS $$
    WITH measured AS MATERIALIZED (
        SELECT e, ((e >> 18) & 255)::integer AS occurrences, (e & 262143)::integer AS tokens,
            1 / (1 + (0.3 + slope * (e & 262143)) / ((e >> 18) & 255)) AS impact
        FROM unnest(entries) AS e
    ), cut AS MATERIALIZED (
        SELECT percentile_disc(ARRAY[63 / 64.0, 7 / 8.0]::double precision[]) WITHIN GROUP (ORDER BY impact) AS at FROM measured
    ), placed AS MATERIALIZED (
        SELECT m.*, CASE WHEN m.impact >= c.at[1] THEN 0 WHEN m.impact >= c.at[2] THEN 1 ELSE 2 END AS place
        FROM measured m CROSS JOIN cut c
    ), classes AS MATERIALIZED (
        SELECT place, (occurrences << 18) | min(tokens) AS class FROM placed GROUP BY place, occurrences
    )
    SELECT entries[1] >> 26, entries[cardinality(entries)] >> 26,
        (SELECT array_agg(e) FROM placed WHERE place = 0),
        (SELECT array_agg(e) FROM placed WHERE place <= 1),
        (SELECT array_agg(class) FROM classes),
        (SELECT coalesce(array_agg(class), '{}') FROM classes WHERE place >= 1),
        (SELECT coalesce(array_agg(class), '{}') FROM classes WHERE place = 2)
$$;

-- Joins the segments of one level of one tenant into one, where there are many; returns how many, 0 when there is
-- nothing to do. A segment ends up in about one merge per level. Those of a few million postings are left alone, so
-- that no merge takes longer than a statement may.
CREATE FUNCTION merge_search_segments() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET work_mem = '128MB' SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    candidate record;
    chosen bigint[];
    target bigint;
    slope double precision;
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

        SELECT 0.9 * greatest(sum(s.documents), 1) / greatest(sum(s.tokens), 1) INTO slope
        FROM search_segments s WHERE s.tenant_id = candidate.tenant_id;
        target := nextval('search_numbers');
        INSERT INTO search_postings (tenant_id, term, segment, added, removed, entries, dead,
            first_number, last_number, top, upper, peak, peak_below_top, peak_below_upper)
        SELECT candidate.tenant_id, m.term, target, cardinality(m.entries), coalesce(cardinality(m.dead), 0),
            m.entries, m.dead, k.*
        FROM (
            SELECT x.term, coalesce(array_sort(array_agg(x.entry) FILTER (WHERE x.entry IS NOT NULL)), '{}') AS entries,
                array_agg(x.dead) FILTER (WHERE x.dead IS NOT NULL) AS dead
            FROM (
                SELECT p.term, unnest(p.entries) AS entry, unnest(p.dead) AS dead FROM search_postings p
                WHERE p.tenant_id = candidate.tenant_id AND p.segment = ANY (chosen)
            ) x GROUP BY x.term
        ) m
        LEFT JOIN LATERAL pack_search_entries(CASE WHEN cardinality(m.entries) >= 2048 THEN m.entries END, slope) k
            ON true
        ORDER BY m.term;
        DELETE FROM search_postings p WHERE p.tenant_id = candidate.tenant_id AND p.segment = ANY (chosen);
        WITH old AS (
            DELETE FROM search_segments s WHERE s.tenant_id = candidate.tenant_id AND s.segment = ANY (chosen)
            RETURNING s.*
        )
        INSERT INTO search_segments (tenant_id, segment, level, documents, tokens, entries, removed)
        SELECT candidate.tenant_id, target, search_level(sum(entries + removed)::bigint), sum(documents), sum(tokens),
            sum(entries), sum(removed)
        FROM old;
        RETURN cardinality(chosen);
    END LOOP;
    RETURN 0;
END
$$;

-- Takes dead numbers out of some terms of one tenant, where they are a tenth of its postings or more; returns of how
-- many terms. A dead number and the entry it ends are in rows that both exist, since the entry was there first.
CREATE FUNCTION purge_search_postings() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    tenant text;
    chosen text[];
    word text;
    gone bigint[];
    rows_of_word bigint[];
    posting record;
    kept bigint[];
    slope double precision;
    segments bigint[] := '{}';
    entries_gone bigint[] := '{}';
    dead_gone bigint[] := '{}';
BEGIN
    SELECT s.tenant_id INTO tenant FROM search_segments s
    GROUP BY s.tenant_id HAVING sum(s.removed) > 0 AND sum(s.removed) * 10 >= sum(s.entries)
        AND pg_try_advisory_xact_lock(7_408_001, hashtext(s.tenant_id))
    LIMIT 1;
    IF tenant IS NULL THEN
        RETURN 0;
    END IF;
    SELECT 0.9 * greatest(sum(s.documents), 1) / greatest(sum(s.tokens), 1) INTO slope
    FROM search_segments s WHERE s.tenant_id = tenant;
    SELECT array_agg(o.term) INTO chosen FROM (
        SELECT p.term, sum(sum(p.added)) OVER (ORDER BY p.term) AS reached,
            row_number() OVER (ORDER BY p.term) AS position
        FROM search_postings p
        WHERE p.tenant_id = tenant AND p.term IN (
            SELECT DISTINCT d.term FROM search_postings d
            WHERE d.tenant_id = tenant AND d.removed > 0 ORDER BY d.term LIMIT 2000)
        GROUP BY p.term
    ) o WHERE o.reached <= 1_000_000 OR o.position = 1;

    FOREACH word IN ARRAY coalesce(chosen, '{}') LOOP
        -- One statement, one snapshot: rows that a writer adds meanwhile keep what they say is dead.
        SELECT array_agg(p.segment), array_agg(d.number) FILTER (WHERE d.number IS NOT NULL) INTO rows_of_word, gone
        FROM search_postings p LEFT JOIN LATERAL unnest(p.dead) AS d (number) ON true
        WHERE p.tenant_id = tenant AND p.term = word;
        FOR posting IN
            SELECT p.segment, p.added, p.removed, p.entries FROM search_postings p
            WHERE p.tenant_id = tenant AND p.term = word AND p.segment = ANY (rows_of_word)
        LOOP
            SELECT coalesce(array_agg(e ORDER BY e), '{}') INTO kept
            FROM unnest(posting.entries) AS e LEFT JOIN unnest(gone) AS g (number) ON g.number = e >> 26
            WHERE g.number IS NULL;
            CONTINUE WHEN posting.removed = 0 AND cardinality(kept) = posting.added;
            segments := segments || posting.segment;
            entries_gone := entries_gone || (posting.added - cardinality(kept))::bigint;
            dead_gone := dead_gone || posting.removed::bigint;
            IF cardinality(kept) = 0 THEN
                DELETE FROM search_postings p
                WHERE p.tenant_id = tenant AND p.term = word AND p.segment = posting.segment;
            ELSE
                UPDATE search_postings p SET added = cardinality(kept), removed = 0, entries = kept, dead = NULL,
                    first_number = k.first_number, last_number = k.last_number, top = k.top, upper = k.upper,
                    peak = k.peak, peak_below_top = k.peak_below_top, peak_below_upper = k.peak_below_upper
                FROM (SELECT true) one LEFT JOIN LATERAL pack_search_entries(
                    CASE WHEN cardinality(kept) >= 2048 THEN kept END, slope) k ON true
                WHERE p.tenant_id = tenant AND p.term = word AND p.segment = posting.segment;
            END IF;
        END LOOP;
    END LOOP;
    UPDATE search_segments s SET entries = s.entries - c.entries, removed = s.removed - c.removed
    FROM (
        SELECT u.segment, sum(u.entries) AS entries, sum(u.removed) AS removed
        FROM unnest(segments, entries_gone, dead_gone) AS u (segment, entries, removed) GROUP BY u.segment
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

REVOKE ALL ON FUNCTION pack_search_entries(bigint[], double precision), merge_search_segments(),
    purge_search_postings(), index_search_items_anew(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION merge_search_segments(), purge_search_postings(), index_search_items_anew(integer) TO ml_app;
