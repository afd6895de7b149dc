-- The numbers of the tenant's items with the highest BM25 score, the best first; of equal scores the lower number.
--
--   score = sum over the query's terms of count * idf * 2.2 * tf / (tf + 0.3 + 0.9 * length / mean length)
--   idf = ln(1 + (items - items with the term + 0.5) / (items with the term + 0.5))
--
-- which is k1 = 1.2 and b = 0.75 (Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond",
-- 2009), with the count of the term in the query, and items and mean length of the tenant.
--
-- Exact, without reading all postings (Turtle and Flood, "Query evaluation: strategies and optimizations", 1995): of the
-- large rows only a part is scanned, at first the entries of the highest impact. What an entry that is not scanned can
-- add is bounded. The best that were found are completed by looking their other terms up, which gives the score that
-- a result must have. If the bounds of all terms together stay below it, no item was missed; else more is scanned, and
-- now it is known how much. `gain` is the score less the bounds: so gain plus all bounds is an upper bound of the score
-- at first, and the score itself once every term was looked up.
--
-- required: terms that an item must have, a part of `terms`. chosen: the only numbers to rank; NULL for all.
CREATE FUNCTION rank_search_documents(
    terms text[], counts integer[], required text[], chosen bigint[], most integer
) RETURNS TABLE (number bigint, score double precision)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
SET work_mem = '64MB' SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    tenant text := current_setting('ml.tenant', true);
    documents double precision;
    slope double precision; -- of the denominator per token: k1 * b / mean length
    words text[];
    weights double precision[];
    large bigint[];               -- entries in large rows
    peaks double precision[];     -- the most that an entry of a large row adds
    below_top double precision[];
    below_upper double precision[];
    entries bigint;
    dead bigint[];
    plan_word integer[];
    plan_mode integer[];
    plan_left double precision[]; -- bounds of all terms together after this step
    plan_entries bigint[];        -- scanned after this step
    taken integer := 0;           -- steps of the plan
    steps integer;
    modes integer[];              -- per term: what of its large rows is scanned: 0 none, 1 top, 2 upper, 3 all
    rests double precision[];     -- per term: bound of what is not scanned
    bound double precision;       -- their sum
    bits bigint[];
    found text;
    lists text;
    best text;
    survivors text;
    stage text;
    lowest double precision := 0; -- a score that `most` items reach
    numbers bigint[];
    scores double precision[];
BEGIN
    SELECT sum(s.documents), 0.9 * sum(s.documents) / nullif(sum(s.tokens), 0) INTO documents, slope
    FROM search_segments s WHERE s.tenant_id = tenant;
    IF slope IS NULL OR most < 1 THEN
        RETURN;
    END IF;

    SELECT array_agg(t.term ORDER BY t.weight DESC, t.term), array_agg(t.weight ORDER BY t.weight DESC, t.term),
        array_agg(coalesce(t.large, 0) ORDER BY t.weight DESC, t.term),
        array_agg(coalesce(t.weight * t.peak, 0) ORDER BY t.weight DESC, t.term),
        array_agg(coalesce(t.weight * t.below_top, 0) ORDER BY t.weight DESC, t.term),
        array_agg(coalesce(t.weight * t.below_upper, 0) ORDER BY t.weight DESC, t.term),
        sum(t.added)
    INTO words, weights, large, peaks, below_top, below_upper, entries
    FROM (
        SELECT s.*, 2.2 * s.count * ln(1 + (documents - s.items + 0.5) / (s.items + 0.5)) AS weight
        FROM (
            SELECT q.term, q.count, sum(p.added - p.removed)::double precision AS items, sum(p.added) AS added,
                sum(p.added) FILTER (WHERE p.peak IS NOT NULL) AS large,
                max((SELECT max(1 / (1 + (0.3 + slope * (c & 262143)) / (c >> 18))) FROM unnest(p.peak) AS c)) AS peak,
                max((SELECT max(1 / (1 + (0.3 + slope * (c & 262143)) / (c >> 18)))
                    FROM unnest(p.peak_below_top) AS c)) AS below_top,
                max((SELECT max(1 / (1 + (0.3 + slope * (c & 262143)) / (c >> 18)))
                    FROM unnest(p.peak_below_upper) AS c)) AS below_upper
            FROM unnest(terms, counts) AS q (term, count)
            JOIN search_postings p ON p.tenant_id = tenant AND p.term = q.term
            GROUP BY q.term, q.count
        ) s
        WHERE s.items > 0
        ORDER BY weight DESC, s.term LIMIT 256
    ) t;
    IF words IS NULL THEN
        RETURN;
    END IF;
    SELECT coalesce(array_agg(DISTINCT d.number), '{}') INTO dead
    FROM search_postings p CROSS JOIN LATERAL unnest(p.dead) AS d (number)
    WHERE p.tenant_id = tenant AND p.term = ANY (words) AND p.removed > 0;

    IF cardinality(required) > 0 THEN
        EXECUTE '
            SELECT coalesce(array_agg(o.number), ''{}'') FROM (
                SELECT x.e >> 26 AS number
                FROM (SELECT unnest(p.entries) AS e FROM search_postings p
                      WHERE p.tenant_id = $1 AND p.term = ANY ($2)) x
                GROUP BY 1 HAVING count(*) = cardinality($2)
            ) o WHERE ($3 IS NULL OR o.number = ANY ($3)) AND o.number <> ALL ($4)'
        INTO chosen USING tenant, required, chosen, dead;
    END IF;
    IF cardinality(chosen) = 0 THEN
        RETURN;
    END IF;

    -- The steps by what they save per entry; the steps of one term in their order.
    SELECT array_agg(u.ordinal ORDER BY u.rank), array_agg(u.mode ORDER BY u.rank),
        array_agg(u.left_over ORDER BY u.rank), array_agg(u.reached ORDER BY u.rank), count(*)
    INTO plan_word, plan_mode, plan_left, plan_entries, steps
    FROM (
        SELECT v.ordinal, v.mode, sum(v.saved) OVER () - sum(v.saved) OVER w AS left_over,
            (sum(v.cost) OVER w)::bigint AS reached, row_number() OVER w AS rank
        FROM (
            SELECT s.*, min(s.saved / s.cost) OVER (PARTITION BY s.ordinal ORDER BY s.mode) AS worth
            FROM (
                SELECT o.ordinal, m.mode,
                    coalesce(lag(m.rest) OVER o_w, o.peak) - m.rest AS saved,
                    o.large * (m.share - coalesce(lag(m.share) OVER o_w, 0)) AS cost
                FROM unnest(large, peaks, below_top, below_upper) WITH ORDINALITY
                    AS o (large, peak, below_top, below_upper, ordinal)
                CROSS JOIN LATERAL (VALUES (1, o.below_top, 1 / 64.0), (2, o.below_upper, 8 / 64.0), (3, 0, 1))
                    AS m (mode, rest, share)
                -- What was scanned of a term in part is kept as a bit per term.
                WHERE o.large > 0 AND (m.mode = 3 OR cardinality(words) <= 60)
                WINDOW o_w AS (PARTITION BY o.ordinal ORDER BY m.mode)
            ) s
        ) v
        WINDOW w AS (ORDER BY v.worth DESC, v.ordinal, v.mode)
    ) u;
    SELECT array_agg(CASE WHEN i <= 60 THEN 1::bigint << (i - 1) ELSE 0 END ORDER BY i) INTO bits
    FROM generate_series(1, cardinality(words)) AS i;
    IF chosen IS NULL THEN
        IF entries <= 30000 + 4 * most THEN
            taken := steps;
        ELSE
            WHILE taken < steps AND (taken = 0 OR plan_entries[taken] < 4000 + 8 * most) LOOP
                taken := taken + 1;
            END LOOP;
        END IF;
    END IF;

    LOOP
        modes := array_fill(0, ARRAY[cardinality(words)]);
        FOR i IN 1..taken LOOP
            modes[plan_word[i]] := plan_mode[i];
        END LOOP;
        SELECT array_agg(r.rest ORDER BY r.ordinal), sum(r.rest) INTO rests, bound
        FROM (
            SELECT m.ordinal, CASE m.mode WHEN 0 THEN peaks[m.ordinal] WHEN 1 THEN below_top[m.ordinal]
                WHEN 2 THEN below_upper[m.ordinal] ELSE 0 END AS rest
            FROM unnest(modes) WITH ORDINALITY AS m (mode, ordinal)
        ) r;

        found := '
            SELECT x.e >> 26 AS number, bit_or(x.bit) AS counted,
                sum(x.weight / (1 + (0.3 + $6 * (x.e & 262143)) / ((x.e >> 18) & 255)) - x.rest) AS gain
            FROM (
                SELECT q.weight, q.rest, q.bit, unnest(CASE WHEN p.peak IS NULL OR q.mode = 3 THEN p.entries
                    WHEN q.mode = 2 THEN p.upper WHEN q.mode = 1 THEN p.top END) AS e
                FROM unnest($2, $3, $4, $5, $7) AS q (term, weight, mode, rest, bit)
                JOIN search_postings p ON p.tenant_id = $1 AND p.term = q.term
            ) x';
        IF chosen IS NULL THEN
            found := found || ' GROUP BY 1 HAVING (x.e >> 26) <> ALL ($8)';
        ELSE
            found := 'SELECT c.number, bit_or(c.counted) AS counted, sum(c.gain) AS gain FROM ('
                || found || ' WHERE (x.e >> 26) = ANY ($12) GROUP BY 1
                UNION ALL SELECT n, 0, 0 FROM unnest($12) AS n) c GROUP BY 1 HAVING c.number <> ALL ($8)';
        END IF;
        lists := '';
        best := 'SELECT * FROM (SELECT f.* FROM found f ORDER BY f.gain DESC LIMIT $10) b';
        survivors := 'SELECT f.* FROM found f';
        FOR i IN 1..cardinality(words) LOOP
            CONTINUE WHEN large[i] = 0 OR modes[i] = 3;
            lists := lists || format(', list_%s AS MATERIALIZED (
                SELECT p.first_number, p.last_number, p.entries || ''{}''::bigint[] AS entries FROM search_postings p
                WHERE p.tenant_id = $1 AND p.term = ($2)[%s] AND p.peak IS NOT NULL)', i, i);
            stage := format('SELECT s.number, s.counted, s.gain + CASE WHEN s.counted & %s <> 0 THEN 0 ELSE
                    coalesce((SELECT ($3)[%s] / (1 + (0.3 + $6 * (h.e & 262143)) / ((h.e >> 18) & 255))
                        FROM (SELECT l.entries[width_bucket(((s.number + 1) << 26) - 1, l.entries)] AS e FROM list_%s l
                              WHERE s.number BETWEEN l.first_number AND l.last_number OFFSET 0) h
                        WHERE (h.e >> 26) = s.number), 0) - ($5)[%s] END AS gain', bits[i], i, i, i);
            best := format('%s FROM (%s) s OFFSET 0', stage, best);
            survivors := format('%s FROM (%s) s WHERE s.gain >= (SELECT bar.gain FROM bar) OFFSET 0', stage, survivors);
        END LOOP;
        EXECUTE format('
            WITH found AS MATERIALIZED (%s) %s, best AS MATERIALIZED (%s), bar AS MATERIALIZED (
                SELECT greatest($11, CASE WHEN count(*) = $10 THEN min(b.gain) + $9 END) - $9 - 1e-9 AS gain FROM best b
            )
            SELECT array_agg(r.number ORDER BY r.score DESC, r.number), array_agg(r.score ORDER BY r.score DESC, r.number)
            FROM (
                SELECT z.number, round((z.gain + $9) * 1e8) / 1e8 AS score
                FROM (%s) z
                WHERE z.gain + $9 > 1e-9 ORDER BY 2 DESC, 1 LIMIT $10
            ) r',
            found, lists,
            CASE WHEN chosen IS NULL AND lists <> '' THEN best ELSE 'SELECT f.* FROM found f LIMIT 0' END, survivors)
        INTO numbers, scores
        USING tenant, words, weights, modes, rests, slope, bits, dead, bound, most, lowest, chosen;

        EXIT WHEN chosen IS NOT NULL OR taken = steps;
        lowest := CASE WHEN cardinality(numbers) = most THEN scores[most] - 1e-8 ELSE 0 END;
        EXIT WHEN bound < lowest;
        WHILE taken < steps LOOP
            taken := taken + 1;
            EXIT WHEN plan_left[taken] < lowest - 1e-9;
        END LOOP;
    END LOOP;
    RETURN QUERY SELECT r.number, r.score FROM unnest(numbers, scores) AS r (number, score);
END
$$;
REVOKE ALL ON FUNCTION rank_search_documents(text[], integer[], text[], bigint[], integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rank_search_documents(text[], integer[], text[], bigint[], integer) TO ml_app;
