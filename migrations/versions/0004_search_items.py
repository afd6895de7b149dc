"""Items to search, embedding spaces, and one table of embeddings per space.

Rights, and why:

* ``search_items`` and every ``embeddings_<id>``: the service role sees and writes the rows of the tenant it acts for.
* ``embedding_spaces``: the service role reads it. A row comes with a table and its index, so only
  ``create_embedding_space`` makes one; it checks what it is given and runs as the owner.
* ``matching_search_items``: row-level security lets no index serve a condition that is not leakproof, and neither
  ``jsonb @> jsonb`` nor ``text[] @> text[]`` is. Under the service role a filter would read every row of the tenant.
  The function runs as the owner, names the tenant itself, and may therefore use the GIN indexes.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

EXTENSION = """
DO $$
BEGIN
    CREATE EXTENSION IF NOT EXISTS vector;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE EXCEPTION 'the extension "vector" is missing and % may not create it', current_user
        USING HINT = 'Run CREATE EXTENSION vector in this database as a superuser, then migrate again.';
END
$$;
"""

ITEMS = """
CREATE TABLE search_items (
    tenant_id      text NOT NULL,
    entity_type    text NOT NULL CHECK (entity_type ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'),
    entity_id      text NOT NULL CHECK (length(entity_id) BETWEEN 1 AND 256),
    text           text NOT NULL,
    metadata       jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metadata) = 'object'),
    tags           text[] NOT NULL DEFAULT '{}',
    content_sha256 text NOT NULL CHECK (content_sha256 ~ '^[0-9a-f]{64}$'),
    state          text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'embedded', 'failed')),
    error          text CHECK ((error IS NOT NULL) = (state = 'failed')),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    queued_at      timestamptz NOT NULL DEFAULT now(), -- when its last event was written
    generation     bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant_id, entity_type, entity_id)
);
CREATE INDEX search_items_metadata ON search_items USING gin (metadata jsonb_path_ops);
CREATE INDEX search_items_tags ON search_items USING gin (tags);
CREATE INDEX search_items_pending ON search_items (tenant_id, queued_at) WHERE state = 'pending';
ALTER TABLE search_items ENABLE ROW LEVEL SECURITY;
ALTER TABLE search_items FORCE ROW LEVEL SECURITY;
CREATE POLICY search_items_tenant ON search_items
    USING (tenant_id = current_setting('ml.tenant', true))
    WITH CHECK (tenant_id = current_setting('ml.tenant', true));
CREATE POLICY search_items_owner ON search_items TO CURRENT_USER USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON search_items TO ml_app;

-- metadata_filters is a list of lists of documents: an item matches when each list has a document it contains.
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

SPACES = """
CREATE TABLE embedding_spaces (
    id            integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    model         text NOT NULL,
    model_version text NOT NULL,
    digest        text NOT NULL,
    dim           integer NOT NULL CHECK (dim BETWEEN 1 AND 4000),
    metric        text NOT NULL DEFAULT 'cosine' CHECK (metric = 'cosine'),
    state         text NOT NULL CHECK (state IN ('building', 'active', 'retired')),
    created_at    timestamptz NOT NULL DEFAULT now(),
    UNIQUE (model, digest)
);
CREATE UNIQUE INDEX embedding_spaces_one_active ON embedding_spaces (state) WHERE state = 'active';
GRANT SELECT ON embedding_spaces TO ml_app;

-- Returns the id of the space of these weights, made when there is none. The first space is active at once; a later
-- one is 'building' until it holds every item.
CREATE FUNCTION create_embedding_space(wanted_model text, wanted_version text, wanted_digest text, wanted_dim integer)
RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    space embedding_spaces%ROWTYPE;
    name text;
BEGIN
    IF wanted_model IS NULL OR wanted_model !~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$' THEN
        RAISE EXCEPTION 'not a model name' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF wanted_version IS NULL OR wanted_version !~ '^[0-9]{1,18}$' THEN
        RAISE EXCEPTION 'not a model version' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF wanted_digest IS NULL OR wanted_digest !~ '^(sha256:)?[0-9a-f]{64}$' THEN
        RAISE EXCEPTION 'not a sha256 digest' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF wanted_dim IS NULL OR wanted_dim NOT BETWEEN 1 AND 4000 THEN
        RAISE EXCEPTION 'a dimension is between 1 and 4000, the most that halfvec can index'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;

    LOCK TABLE embedding_spaces IN SHARE ROW EXCLUSIVE MODE;
    SELECT * INTO space FROM embedding_spaces s WHERE s.model = wanted_model AND s.digest = wanted_digest;
    IF FOUND THEN
        IF space.dim <> wanted_dim THEN
            RAISE EXCEPTION 'embedding space % has dimension %, not %', space.id, space.dim, wanted_dim
                USING ERRCODE = 'invalid_parameter_value';
        END IF;
        RETURN space.id;
    END IF;

    INSERT INTO embedding_spaces (model, model_version, digest, dim, state)
    VALUES (wanted_model, wanted_version, wanted_digest, wanted_dim,
            CASE WHEN EXISTS (SELECT FROM embedding_spaces s WHERE s.state = 'active') THEN 'building'
                 ELSE 'active' END)
    RETURNING * INTO space;

    name := format('embeddings_%s', space.id);
    EXECUTE format('CREATE TABLE public.%I (
        tenant_id text NOT NULL,
        entity_type text NOT NULL,
        entity_id text NOT NULL,
        content_sha256 text NOT NULL,
        embedding public.halfvec(%s) NOT NULL,
        PRIMARY KEY (tenant_id, entity_type, entity_id),
        FOREIGN KEY (tenant_id, entity_type, entity_id) REFERENCES public.search_items ON DELETE CASCADE)',
        name, wanted_dim);
    EXECUTE format('CREATE INDEX %I ON public.%I USING hnsw (embedding public.halfvec_cosine_ops)',
        name || '_hnsw', name);
    EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE public.%I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY %I ON public.%I
        USING (tenant_id = current_setting(''ml.tenant'', true))
        WITH CHECK (tenant_id = current_setting(''ml.tenant'', true))', name || '_tenant', name);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON public.%I TO ml_app', name);
    RETURN space.id;
END
$$;
REVOKE ALL ON FUNCTION create_embedding_space(text, text, text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION create_embedding_space(text, text, text, integer) TO ml_app;
"""

DROP_EMBEDDINGS = """
DO $$
DECLARE
    space integer;
BEGIN
    FOR space IN SELECT id FROM embedding_spaces LOOP
        EXECUTE format('DROP TABLE IF EXISTS public.%I', format('embeddings_%s', space));
    END LOOP;
END
$$;
"""


def upgrade() -> None:
    """Create the tables, and the functions that the service role calls."""
    for statements in (EXTENSION, ITEMS, SPACES):
        op.execute(statements)


def downgrade() -> None:
    """Drop them with every embedding; the extension stays, since other tables may use it."""
    op.execute(DROP_EMBEDDINGS)
    op.execute("DROP FUNCTION create_embedding_space(text, text, text, integer)")
    op.execute("DROP FUNCTION matching_search_items(text[], text[], jsonb, integer)")
    op.execute("DROP TABLE embedding_spaces, search_items")
