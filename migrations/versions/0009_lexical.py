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

from pathlib import Path

from alembic import op

revision = "0009"
down_revision = "0008"
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
    oldest    timestamptz,      -- when the first of those that are removed was; NULL when none are
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
        INSERT INTO search_segments (tenant_id, segment, level, documents, tokens, entries, removed, oldest)
        SELECT g.tenant_id, b.segment, search_level(sum(length(g.words))), -count(*), -sum(g.length), 0,
            sum(length(g.words)), CASE WHEN sum(length(g.words)) > 0 THEN now() END
        FROM gone g CROSS JOIN batch b GROUP BY g.tenant_id, b.segment
    )
    INSERT INTO search_postings (tenant_id, term, segment, removed, dead)
    SELECT g.tenant_id, t.term, b.segment, count(*), string_agg(int8send(g.number), '')
    FROM gone g CROSS JOIN batch b CROSS JOIN LATERAL unnest(tsvector_to_array(g.words)) AS t (term)
    GROUP BY g.tenant_id, t.term, b.segment ORDER BY g.tenant_id, t.term
$$;

-- Queries are composed (NFC) too; most texts are already, and that is seen sooner than composing takes.
CREATE FUNCTION composed_text(plain text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN plain IS NFC NORMALIZED THEN plain ELSE normalize(plain, NFC) END;

-- A long text counts with its first 100,000 characters: its words must fit the 1 MB of a tsvector. Numbers are looked
-- for by IN and NOT IN where they stay subqueries that are hashed: a session keeps the plan of its first statements,
-- of one row, for one of many thousand, to which a join or an array that is gone through for each row does not scale.
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
        WITH former AS MATERIALIZED (
            SELECT o.tenant_id, o.number,
                o.number IN (SELECT n.number FROM new_items n WHERE n.number IS NOT NULL) AS stays
            FROM old_items o WHERE o.number IS NOT NULL
        )
        SELECT coalesce(array_agg(f.number) FILTER (WHERE f.stays), '{}'),
            array_agg(f.tenant_id) FILTER (WHERE NOT f.stays), array_agg(f.number) FILTER (WHERE NOT f.stays)
        INTO kept, gone_tenants, gone FROM former f;
        IF gone IS NOT NULL THEN
            PERFORM retire_search_documents(gone_tenants, gone);
        END IF;
    END IF;
    IF NOT EXISTS (SELECT FROM new_items n WHERE n.number NOT IN (SELECT unnest(kept))) THEN
        RETURN NULL;
    END IF;
    batch := nextval('search_numbers');
    WITH texts AS MATERIALIZED (
        SELECT n.tenant_id, n.number, coalesce(l.language, 'english') AS language,
            to_tsvector(coalesce(l.language, 'english')::regconfig, composed_text(left(n.text, 100000))) AS words
        FROM new_items n
        LEFT JOIN search_languages l ON l.tenant_id = n.tenant_id AND l.entity_type = n.entity_type
        WHERE n.number NOT IN (SELECT unnest(kept))
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

# Too long to stand here.
MAINTENANCE = Path(__file__).parents[1] / "lexical" / "maintenance.sql"

DROP = """
DROP FUNCTION index_search_items_anew(integer), purge_search_postings(), merge_search_segments(),
    matching_search_documents(text[], text[], jsonb, integer);
DROP TRIGGER search_items_removed ON search_items;
DROP TRIGGER search_items_changed ON search_items;
DROP TRIGGER search_items_added ON search_items;
DROP TRIGGER search_items_number ON search_items;
DROP FUNCTION unindex_search_items(), index_search_items(), composed_text(text),
    retire_search_documents(text[], bigint[]), number_search_item(), search_level(bigint),
    set_search_language(text, text);
DROP TABLE search_postings, search_segments, search_documents, search_languages;
ALTER TABLE search_items DROP COLUMN number;
DROP SEQUENCE search_numbers;
"""


def upgrade() -> None:
    """Create the tables, the triggers and the functions. Items that exist are indexed by the service, in batches."""
    op.execute(TABLES)
    for table in HELD:
        op.execute(RIGHTS.format(table=table))
    for statements in (LANGUAGES, WRITING, MATCHING, MAINTENANCE.read_text(encoding="utf-8")):
        op.execute(statements)


def downgrade() -> None:
    """Drop them; the items stay."""
    op.execute(DROP)
