"""Lexical search: what words each item has, kept by triggers in the transaction that writes the item.

Storage:

* Each state of an item's text has a ``number``. ``search_documents`` holds its words, ``search_postings`` the opposite:
  for each term which numbers have it. One row holds many postings, each 8 bytes, big-endian: ``number << 26 |
  occurrences << 18 | tokens of the text``. Bytes, because they are read and joined as they are, however many.
* A write adds rows and changes none, so writers never wait for each other: a segment, which is what one statement
  wrote, has its own rows, and its share of the tenant's counts in ``search_segments``. Retiring a text adds rows as
  well: the numbers that are dead. An item is counted and found only while it is alive.
* ``merge_search_segments`` joins small segments into larger ones and ``purge_search_postings`` takes dead numbers out.
  Both leave every answer as it was.

Rights, and why:

* The tables: the service role reads the rows of the tenant it acts for and writes none. The triggers write as the
  owner, under the tenant of the item.
* ``matching_search_documents`` runs as the owner and names the tenant itself, as ``matching_search_items`` does, for
  the same reason.
* ``merge_search_segments``, ``purge_search_postings`` and ``index_search_items_anew`` run as the owner over all
  tenants. They take no argument that names rows, and return how much they did.
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TABLES = """
CREATE SEQUENCE search_numbers;
GRANT USAGE ON SEQUENCE search_numbers TO ml_app;

ALTER TABLE search_items ADD COLUMN number bigint; -- NULL until the words of the item are indexed
ALTER TABLE search_items ALTER COLUMN number SET DEFAULT nextval('search_numbers');
CREATE UNIQUE INDEX search_items_number ON search_items (tenant_id, number);
CREATE INDEX search_items_unnumbered ON search_items (tenant_id) WHERE number IS NULL;

CREATE TABLE search_languages (
    tenant_id   text NOT NULL,
    entity_type text NOT NULL,
    language    text NOT NULL,
    changed_at  timestamptz NOT NULL DEFAULT now(),
    pending     boolean NOT NULL DEFAULT true, -- whether items may still be indexed in another language
    checked_at  timestamptz,                   -- when none was found that is
    PRIMARY KEY (tenant_id, entity_type)
);

CREATE TABLE search_documents (
    tenant_id text NOT NULL,
    number    bigint NOT NULL,
    language  text NOT NULL,
    length    integer NOT NULL, -- tokens
    words     tsvector NOT NULL,
    PRIMARY KEY (tenant_id, number)
);

CREATE TABLE search_segments (
    tenant_id text NOT NULL,
    segment   bigint NOT NULL,
    level     integer NOT NULL,
    documents integer NOT NULL, -- added less removed
    tokens    bigint NOT NULL,  -- added less removed
    entries   bigint NOT NULL,
    removed   bigint NOT NULL,
    PRIMARY KEY (tenant_id, segment)
);

CREATE TABLE search_postings (
    tenant_id text COLLATE "C" NOT NULL,
    term      text COLLATE "C" NOT NULL,
    segment   bigint NOT NULL,
    added     integer NOT NULL DEFAULT 0,
    removed   integer NOT NULL DEFAULT 0,
    entries   bytea NOT NULL DEFAULT '', -- the postings, 8 bytes each
    dead      bytea NOT NULL DEFAULT '', -- numbers that are no more, 8 bytes each
    PRIMARY KEY (tenant_id, term, segment)
);
CREATE INDEX search_postings_segment ON search_postings (tenant_id, segment);
CREATE INDEX search_postings_dead ON search_postings (tenant_id, term) WHERE removed > 0;
-- Compressing them saves little and costs every reader.
ALTER TABLE search_postings ALTER COLUMN entries SET STORAGE EXTERNAL;
ALTER TABLE search_postings SET (autovacuum_vacuum_scale_factor = 0.05);
"""

RIGHTS = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY {table}_tenant ON {table} FOR SELECT TO ml_app USING (tenant_id = current_setting('ml.tenant', true));
CREATE POLICY {table}_owner ON {table} TO CURRENT_USER USING (true) WITH CHECK (true);
GRANT SELECT ON {table} TO ml_app;
"""

HELD = ("search_languages", "search_documents", "search_segments", "search_postings")

LANGUAGES = """
-- Texts of this type are indexed in this language from now on; the older ones follow in the background.
CREATE FUNCTION set_search_language(of_type text, wanted text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    IF coalesce(current_setting('ml.tenant', true), '') = '' THEN
        RAISE EXCEPTION 'no tenant' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF of_type IS NULL OR of_type !~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$' THEN
        RAISE EXCEPTION 'not an entity type' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_ts_config WHERE cfgname = wanted AND cfgnamespace = 'pg_catalog'::regnamespace) THEN
        RAISE EXCEPTION 'Postgres has no text search configuration "%"', wanted
            USING ERRCODE = 'invalid_parameter_value', HINT = 'SELECT cfgname FROM pg_ts_config lists them.';
    END IF;
    INSERT INTO search_languages AS l (tenant_id, entity_type, language)
    VALUES (current_setting('ml.tenant'), of_type, wanted)
    ON CONFLICT (tenant_id, entity_type) DO UPDATE
    SET language = excluded.language, changed_at = now(), pending = true, checked_at = NULL
    WHERE l.language <> excluded.language;
END
$$;
REVOKE ALL ON FUNCTION set_search_language(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION set_search_language(text, text) TO ml_app;
"""

WRITING = """
CREATE FUNCTION search_level(postings bigint) RETURNS integer LANGUAGE sql IMMUTABLE
RETURN greatest(0, floor(ln(greatest(postings, 1) / 64.0) / ln(8))::integer);

CREATE FUNCTION number_search_item() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    NEW.number := nextval('search_numbers');
    RETURN NEW;
END
$$;
CREATE TRIGGER search_items_number BEFORE UPDATE OF text ON search_items FOR EACH ROW
    WHEN (OLD.number IS NULL OR OLD.text IS DISTINCT FROM NEW.text) EXECUTE FUNCTION number_search_item();

CREATE FUNCTION retire_search_documents(tenants text[], numbers bigint[]) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, public, pg_temp
AS $$
    WITH batch AS MATERIALIZED (
        SELECT nextval('search_numbers') AS segment
    ), gone AS (
        DELETE FROM search_documents d USING unnest(tenants, numbers) AS g (tenant_id, number)
        WHERE d.tenant_id = g.tenant_id AND d.number = g.number
        RETURNING d.tenant_id, d.number, d.length, d.words
    ), counted AS (
        INSERT INTO search_segments (tenant_id, segment, level, documents, tokens, entries, removed)
        SELECT g.tenant_id, b.segment, search_level(sum(length(g.words))), -count(*), -sum(g.length), 0,
            sum(length(g.words))
        FROM gone g CROSS JOIN batch b GROUP BY g.tenant_id, b.segment
    )
    INSERT INTO search_postings (tenant_id, term, segment, removed, dead)
    SELECT g.tenant_id, t.term, b.segment, count(*), string_agg(int8send(g.number), '')
    FROM gone g CROSS JOIN batch b CROSS JOIN LATERAL unnest(tsvector_to_array(g.words)) AS t (term)
    GROUP BY g.tenant_id, t.term, b.segment ORDER BY g.tenant_id, t.term
$$;

-- A long text counts with its first 100,000 characters: its words must fit the 1 MB of a tsvector.
CREATE FUNCTION index_search_items() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    kept bigint[] := '{}';
    gone bigint[];
    gone_tenants text[];
    batch bigint;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        SELECT coalesce(array_agg(n.number), '{}') INTO kept
        FROM old_items o JOIN new_items n ON n.tenant_id = o.tenant_id AND n.number = o.number;
        SELECT array_agg(o.tenant_id), array_agg(o.number) INTO gone_tenants, gone
        FROM old_items o WHERE o.number <> ALL (kept);
        IF gone IS NOT NULL THEN
            PERFORM retire_search_documents(gone_tenants, gone);
        END IF;
    END IF;
    IF NOT EXISTS (SELECT FROM new_items n WHERE n.number <> ALL (kept)) THEN
        RETURN NULL;
    END IF;
    batch := nextval('search_numbers');
    WITH texts AS MATERIALIZED (
        SELECT n.tenant_id, n.number, coalesce(l.language, 'english') AS language,
            to_tsvector(coalesce(l.language, 'english')::regconfig, left(n.text, 100000)) AS words
        FROM new_items n
        LEFT JOIN search_languages l ON l.tenant_id = n.tenant_id AND l.entity_type = n.entity_type
        WHERE n.number <> ALL (kept)
    ), measured AS MATERIALIZED (
        SELECT t.*, (SELECT coalesce(sum(cardinality(u.positions)), 0) FROM unnest(t.words) u)::integer AS length
        FROM texts t
    ), stored AS (
        INSERT INTO search_documents (tenant_id, number, language, length, words)
        SELECT tenant_id, number, language, length, words FROM measured
    ), counted AS (
        INSERT INTO search_segments (tenant_id, segment, level, documents, tokens, entries, removed)
        SELECT tenant_id, batch, search_level(sum(length(words))), count(*), sum(length), sum(length(words)), 0
        FROM measured GROUP BY tenant_id
    )
    INSERT INTO search_postings (tenant_id, term, segment, added, entries)
    SELECT m.tenant_id, u.lexeme, batch, count(*), string_agg(int8send(
        (m.number << 26) | (cardinality(u.positions)::bigint << 18) | least(m.length, 262143)), '')
    FROM measured m CROSS JOIN LATERAL unnest(m.words) u
    GROUP BY m.tenant_id, u.lexeme ORDER BY m.tenant_id, u.lexeme;
    RETURN NULL;
END
$$;
CREATE TRIGGER search_items_added AFTER INSERT ON search_items
    REFERENCING NEW TABLE AS new_items FOR EACH STATEMENT EXECUTE FUNCTION index_search_items();
CREATE TRIGGER search_items_changed AFTER UPDATE ON search_items
    REFERENCING OLD TABLE AS old_items NEW TABLE AS new_items
    FOR EACH STATEMENT EXECUTE FUNCTION index_search_items();

CREATE FUNCTION unindex_search_items() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    gone bigint[];
    gone_tenants text[];
BEGIN
    SELECT array_agg(o.tenant_id), array_agg(o.number) INTO gone_tenants, gone
    FROM old_items o WHERE o.number IS NOT NULL;
    IF gone IS NOT NULL THEN
        PERFORM retire_search_documents(gone_tenants, gone);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER search_items_removed AFTER DELETE ON search_items
    REFERENCING OLD TABLE AS old_items FOR EACH STATEMENT EXECUTE FUNCTION unindex_search_items();

REVOKE ALL ON FUNCTION search_level(bigint), number_search_item(), retire_search_documents(text[], bigint[]),
    index_search_items(), unindex_search_items() FROM PUBLIC;
"""

MATCHING = """
-- The numbers of the items that meet the filters, whether embedded or not. For the arguments and for why this is no
-- plain query see matching_search_items.
CREATE FUNCTION matching_search_documents(
    entity_types text[], all_tags text[], metadata_filters jsonb, max_rows integer
) RETURNS TABLE (number bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    query text := format(
        'SELECT i.number FROM search_items i WHERE i.tenant_id = %L AND i.number IS NOT NULL',
        current_setting('ml.tenant', true));
    alternatives jsonb;
BEGIN
    IF entity_types IS NOT NULL THEN
        query := query || format(' AND i.entity_type = ANY (%L::text[])', entity_types);
    END IF;
    IF all_tags IS NOT NULL THEN
        query := query || format(' AND i.tags @> %L::text[]', all_tags);
    END IF;
    FOR alternatives IN SELECT value FROM jsonb_array_elements(coalesce(metadata_filters, '[]')) LOOP
        query := query || format(' AND i.metadata @> ANY (%L::jsonb[])',
            ARRAY(SELECT value FROM jsonb_array_elements(alternatives)));
    END LOOP;
    RETURN QUERY EXECUTE query || format(' LIMIT %L', max_rows);
END
$$;
REVOKE ALL ON FUNCTION matching_search_documents(text[], text[], jsonb, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION matching_search_documents(text[], text[], jsonb, integer) TO ml_app;
"""

MAINTENANCE = """
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
-- many terms. A dead number and the posting it ends are in rows that both exist, since the posting was there first.
CREATE FUNCTION purge_search_postings() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    tenant text;
    chosen text[];
BEGIN
    SELECT s.tenant_id INTO tenant FROM search_segments s
    GROUP BY s.tenant_id HAVING sum(s.removed) > 0 AND sum(s.removed) * 10 >= sum(s.entries)
        AND pg_try_advisory_xact_lock(7_408_001, hashtext(s.tenant_id))
    LIMIT 1;
    SELECT array_agg(o.term) INTO chosen FROM (
        SELECT p.term, sum(sum(p.added)) OVER (ORDER BY p.term) AS reached,
            row_number() OVER (ORDER BY p.term) AS position
        FROM search_postings p
        WHERE p.tenant_id = tenant AND p.term IN (
            SELECT DISTINCT d.term FROM search_postings d
            WHERE d.tenant_id = tenant AND d.removed > 0 ORDER BY d.term LIMIT 2000)
        GROUP BY p.term
    ) o WHERE o.reached <= 1_000_000 OR o.position = 1;

    -- One statement, one snapshot: rows that a writer adds meanwhile keep what they say is dead.
    WITH held AS MATERIALIZED (
        SELECT p.term, p.segment, p.added, p.removed, p.entries || '' AS entries, p.dead || '' AS dead
        FROM search_postings p WHERE p.tenant_id = tenant AND p.term = ANY (chosen)
    ), dead AS MATERIALIZED (
        SELECT h.term, substring(h.dead FROM 8 * i + 1 FOR 8)::bigint AS number
        FROM held h CROSS JOIN LATERAL generate_series(0, h.removed - 1) AS i
    ), kept AS MATERIALIZED (
        SELECT e.term, e.segment, count(*) AS added, string_agg(e.entry, '') AS entries
        FROM (
            SELECT h.term, h.segment, substring(h.entries FROM 8 * i + 1 FOR 8) AS entry
            FROM held h CROSS JOIN LATERAL generate_series(0, h.added - 1) AS i
        ) e LEFT JOIN dead d ON d.term = e.term AND d.number = e.entry::bigint >> 26
        WHERE d.number IS NULL GROUP BY e.term, e.segment
    ), changed AS (
        UPDATE search_postings p SET added = k.added, removed = 0, entries = k.entries, dead = ''
        FROM kept k JOIN held h ON h.term = k.term AND h.segment = k.segment
        WHERE p.tenant_id = tenant AND p.term = k.term AND p.segment = k.segment
            AND (k.added <> h.added OR h.removed > 0)
        RETURNING p.segment, h.added - k.added AS entries, h.removed
    ), emptied AS (
        DELETE FROM search_postings p USING held h
        WHERE p.tenant_id = tenant AND p.term = h.term AND p.segment = h.segment
            AND NOT EXISTS (SELECT FROM kept k WHERE k.term = h.term AND k.segment = h.segment)
        RETURNING p.segment, h.added::bigint AS entries, h.removed
    )
    UPDATE search_segments s SET entries = s.entries - c.entries, removed = s.removed - c.removed
    FROM (
        SELECT u.segment, sum(u.entries) AS entries, sum(u.removed) AS removed
        FROM (SELECT * FROM changed UNION ALL SELECT * FROM emptied) u GROUP BY u.segment
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
"""

DROP = """
DROP FUNCTION index_search_items_anew(integer), purge_search_postings(), merge_search_segments(),
    matching_search_documents(text[], text[], jsonb, integer);
DROP TRIGGER search_items_removed ON search_items;
DROP TRIGGER search_items_changed ON search_items;
DROP TRIGGER search_items_added ON search_items;
DROP TRIGGER search_items_number ON search_items;
DROP FUNCTION unindex_search_items(), index_search_items(), retire_search_documents(text[], bigint[]),
    number_search_item(), search_level(bigint), set_search_language(text, text);
DROP TABLE search_postings, search_segments, search_documents, search_languages;
ALTER TABLE search_items DROP COLUMN number;
DROP SEQUENCE search_numbers;
"""


def upgrade() -> None:
    """Create the tables, the triggers and the functions. Items that exist are indexed by the service, in batches."""
    op.execute(TABLES)
    for table in HELD:
        op.execute(RIGHTS.format(table=table))
    for statements in (LANGUAGES, WRITING, MATCHING, MAINTENANCE):
        op.execute(statements)


def downgrade() -> None:
    """Drop them; the items stay."""
    op.execute(DROP)
