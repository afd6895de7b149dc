"""What queries need: one function for all conditions, settings per kind of item, and a generation per tenant.

Rights, and why:

* ``matching_search_items`` and ``matching_search_documents`` run as the owner and name the tenant themselves, for the
  reason given in 0004. The conditions
  come as JSON, never as SQL; ``search_condition`` writes them with literals, since the planner must see the values to
  choose between the indexes.
* ``search_settings``: the service role sees and writes the rows of the tenant it acts for.
* ``search_generations``: the service role reads those of its tenant. The trigger writes them, so no way of writing
  items, in whatever program, can forget to. ``raise_search_generation`` does so for its tenant where vectors of items
  are written that stay as they are.
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

CONDITIONS = """
-- The conditions of a query on `i`, an item, as the text of an SQL condition.
CREATE FUNCTION search_condition(filters jsonb) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    condition text := 'true';
    part jsonb;
    key text;
    value jsonb;
    sign text;
BEGIN
    IF filters ? 'entity_types' THEN
        condition := condition || format(' AND i.entity_type = ANY (%L::text[])',
            ARRAY(SELECT jsonb_array_elements_text(filters -> 'entity_types')));
    END IF;
    IF filters ? 'tags' THEN
        condition := condition || format(' AND i.tags @> %L::text[]',
            ARRAY(SELECT jsonb_array_elements_text(filters -> 'tags')));
    END IF;
    IF filters ? 'since' THEN
        condition := condition || format(' AND i.updated_at >= %L::timestamptz', filters ->> 'since');
    END IF;
    IF filters ? 'before' THEN
        condition := condition || format(' AND i.updated_at < %L::timestamptz', filters ->> 'before');
    END IF;
    FOR part IN SELECT * FROM jsonb_array_elements(coalesce(filters -> 'metadata', '[]')) LOOP
        key := part ->> 'key';
        value := part -> 'value';
        sign := CASE part ->> 'op' WHEN 'gt' THEN '>' WHEN 'gte' THEN '>=' WHEN 'lt' THEN '<' WHEN 'lte' THEN '<=' END;
        condition := condition || ' AND ' || CASE
            WHEN part ->> 'op' = 'eq' THEN format('i.metadata @> %L::jsonb', jsonb_build_object(key, value))
            WHEN part ->> 'op' = 'ne' THEN format('NOT i.metadata @> %L::jsonb', jsonb_build_object(key, value))
            WHEN part ->> 'op' = 'in' THEN format('i.metadata @> ANY (%L::jsonb[])',
                ARRAY(SELECT jsonb_build_object(key, each) FROM jsonb_array_elements(value) each))
            WHEN part ->> 'op' = 'exists' THEN format('(i.metadata ? %L) = %L::boolean', key, value)
            WHEN sign IS NULL THEN NULL
            WHEN jsonb_typeof(value) = 'string' THEN format(
                '(jsonb_typeof(i.metadata -> %L) = ''string'' AND (i.metadata ->> %L) COLLATE "C" %s %L)',
                key, key, sign, value #>> '{}')
            ELSE format('(jsonb_typeof(i.metadata -> %L) = ''number'' AND i.metadata -> %L %s %L::jsonb)',
                key, key, sign, value)
        END;
    END LOOP;
    IF condition IS NULL THEN
        RAISE EXCEPTION 'not a filter' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN condition;
END
$$;
REVOKE ALL ON FUNCTION search_condition(jsonb) FROM PUBLIC;

-- The tenant's embedded items that meet the conditions.
CREATE FUNCTION matching_search_items(filters jsonb, max_rows bigint)
RETURNS TABLE (entity_type text, entity_id text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT i.entity_type, i.entity_id FROM search_items i
         WHERE i.tenant_id = %L AND i.state = ''embedded'' AND %s LIMIT %L',
        current_setting('ml.tenant', true), search_condition(filters), max_rows);
END
$$;
REVOKE ALL ON FUNCTION matching_search_items(jsonb, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION matching_search_items(jsonb, bigint) TO ml_app;

-- The numbers of the tenant's items that meet the conditions, embedded or not.
CREATE FUNCTION matching_search_documents(filters jsonb, max_rows bigint)
RETURNS TABLE (number bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT i.number FROM search_items i
         WHERE i.tenant_id = %L AND i.number IS NOT NULL AND %s LIMIT %L',
        current_setting('ml.tenant', true), search_condition(filters), max_rows);
END
$$;
REVOKE ALL ON FUNCTION matching_search_documents(jsonb, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION matching_search_documents(jsonb, bigint) TO ml_app;

-- Items are written in the order of time, so block ranges are nearly as good as a tree, and cost writes nothing.
CREATE INDEX search_items_updated ON search_items USING brin (updated_at timestamptz_minmax_multi_ops)
    WITH (pages_per_range = 16, autosummarize = on);
"""

SETTINGS = """
CREATE TABLE search_settings (
    tenant_id   text NOT NULL,
    entity_type text NOT NULL CHECK (entity_type = '*' OR entity_type ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'),
    weight      double precision CHECK (weight BETWEEN 0 AND 1), -- of the vectors; NULL: the service's
    tuning      jsonb, -- the measurements that the weight comes from; NULL: it was set by hand
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, entity_type)
);
ALTER TABLE search_settings ENABLE ROW LEVEL SECURITY;
ALTER TABLE search_settings FORCE ROW LEVEL SECURITY;
CREATE POLICY search_settings_tenant ON search_settings
    USING (tenant_id = current_setting('ml.tenant', true))
    WITH CHECK (tenant_id = current_setting('ml.tenant', true));
CREATE POLICY search_settings_owner ON search_settings TO CURRENT_USER USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON search_settings TO ml_app;
"""

GENERATIONS = """
-- The generation of a tenant's items is the sum over its stripes: every transaction that changed items adds one. There
-- are stripes so that writers of one tenant seldom wait for each other.
CREATE TABLE search_generations (
    tenant_id  text NOT NULL,
    stripe     integer NOT NULL,
    generation bigint NOT NULL,
    PRIMARY KEY (tenant_id, stripe)
) WITH (fillfactor = 50);
ALTER TABLE search_generations ENABLE ROW LEVEL SECURITY;
ALTER TABLE search_generations FORCE ROW LEVEL SECURITY;
CREATE POLICY search_generations_tenant ON search_generations FOR SELECT
    USING (tenant_id = current_setting('ml.tenant', true));
CREATE POLICY search_generations_owner ON search_generations TO CURRENT_USER USING (true) WITH CHECK (true);
GRANT SELECT ON search_generations TO ml_app;
INSERT INTO search_generations SELECT DISTINCT tenant_id, 0, 1 FROM search_items;

-- Deferred, so that the stripe is the last lock of a transaction and held for the commit only. Many rows of one
-- transaction count once.
CREATE FUNCTION count_search_generation() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    tenant text := CASE TG_OP WHEN 'DELETE' THEN OLD.tenant_id ELSE NEW.tenant_id END;
    mark text := pg_current_xact_id()::text || ' ' || tenant;
BEGIN
    IF current_setting('ml.search_generation', true) IS DISTINCT FROM mark THEN
        INSERT INTO search_generations AS g VALUES (tenant, pg_backend_pid() % 16, 1)
        ON CONFLICT (tenant_id, stripe) DO UPDATE SET generation = g.generation + 1;
        PERFORM set_config('ml.search_generation', mark, true);
    END IF;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION count_search_generation() FROM PUBLIC;

CREATE FUNCTION raise_search_generation() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    tenant text := current_setting('ml.tenant', true);
BEGIN
    IF coalesce(tenant, '') = '' THEN
        RAISE EXCEPTION 'no tenant' USING ERRCODE = 'insufficient_privilege';
    END IF;
    INSERT INTO search_generations AS g VALUES (tenant, pg_backend_pid() % 16, 1)
    ON CONFLICT (tenant_id, stripe) DO UPDATE SET generation = g.generation + 1;
END
$$;
REVOKE ALL ON FUNCTION raise_search_generation() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION raise_search_generation() TO ml_app;

CREATE CONSTRAINT TRIGGER search_items_generation AFTER INSERT OR UPDATE OR DELETE ON search_items
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION count_search_generation();
"""

FORMER_DOCUMENTS = """
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

FORMER_MATCHING = """
CREATE FUNCTION matching_search_items(entity_types text[], all_tags text[], metadata_filters jsonb, max_rows integer)
RETURNS TABLE (entity_type text, entity_id text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    query text := format(
        'SELECT i.entity_type, i.entity_id FROM search_items i WHERE i.tenant_id = %L AND i.state = ''embedded''',
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
    -- Literals instead of parameters: the planner must see the values to choose between the indexes.
    RETURN QUERY EXECUTE query || format(' LIMIT %L', max_rows);
END
$$;
REVOKE ALL ON FUNCTION matching_search_items(text[], text[], jsonb, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION matching_search_items(text[], text[], jsonb, integer) TO ml_app;
"""


def upgrade() -> None:
    """Replace the functions that filter, and create the tables."""
    op.execute("DROP FUNCTION matching_search_documents(text[], text[], jsonb, integer)")
    op.execute("DROP FUNCTION matching_search_items(text[], text[], jsonb, integer)")
    for statements in (CONDITIONS, SETTINGS, GENERATIONS):
        op.execute(statements)


def downgrade() -> None:
    """Drop them, and bring the former functions back."""
    op.execute("DROP TRIGGER search_items_generation ON search_items")
    op.execute("DROP FUNCTION count_search_generation(), raise_search_generation()")
    op.execute("DROP TABLE search_generations, search_settings")
    op.execute("DROP INDEX search_items_updated")
    op.execute("DROP FUNCTION matching_search_documents(jsonb, bigint)")
    op.execute("DROP FUNCTION matching_search_items(jsonb, bigint)")
    op.execute("DROP FUNCTION search_condition(jsonb)")
    op.execute(FORMER_MATCHING)
    op.execute(FORMER_DOCUMENTS)
