CREATE OR REPLACE FUNCTION create_embedding_space(
    wanted_model text, wanted_version text, wanted_digest text, wanted_dim integer)
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
DROP FUNCTION check_embedding_model(text, text), check_embedding_weights(text, integer),
    make_embeddings_table(integer, integer, boolean), let_owner_read(text), embedding_spaces_lock();
