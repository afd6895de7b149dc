-- Any constant will do, as long as nothing else takes the same advisory lock.
CREATE FUNCTION embedding_spaces_lock() RETURNS bigint LANGUAGE sql IMMUTABLE RETURN 5215883012;

CREATE FUNCTION make_embeddings_table(space_id integer, dim integer, indexed boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    name text := format('embeddings_%s', space_id);
BEGIN
    EXECUTE format('CREATE TABLE public.%I (
        tenant_id text NOT NULL,
        entity_type text NOT NULL,
        entity_id text NOT NULL,
        content_sha256 text NOT NULL,
        embedding public.halfvec(%s) NOT NULL,
        PRIMARY KEY (tenant_id, entity_type, entity_id),
        FOREIGN KEY (tenant_id, entity_type, entity_id) REFERENCES public.search_items ON DELETE CASCADE)',
        name, dim);
    IF indexed THEN
        EXECUTE format('CREATE INDEX %I ON public.%I USING hnsw (embedding public.halfvec_cosine_ops)',
            name || '_hnsw', name);
    END IF;
    EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE public.%I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY %I ON public.%I
        USING (tenant_id = current_setting(''ml.tenant'', true))
        WITH CHECK (tenant_id = current_setting(''ml.tenant'', true))', name || '_tenant', name);
    PERFORM let_owner_read(name);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON public.%I TO ml_app', name);
END
$$;

-- So that the owner, whom the policy of the tenant holds too, counts over all tenants.
CREATE FUNCTION let_owner_read(name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    EXECUTE format('CREATE POLICY %I ON public.%I TO CURRENT_USER USING (true) WITH CHECK (true)',
        name || '_owner', name);
END
$$;
REVOKE ALL ON FUNCTION make_embeddings_table(integer, integer, boolean), let_owner_read(text) FROM PUBLIC;

SELECT let_owner_read(format('embeddings_%s', id)) FROM embedding_spaces WHERE state <> 'retired';

CREATE FUNCTION check_embedding_model(wanted_model text, wanted_version text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    IF wanted_model IS NULL OR wanted_model !~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$' THEN
        RAISE EXCEPTION 'not a model name' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF wanted_version IS NULL OR wanted_version !~ '^[0-9]{1,18}$' THEN
        RAISE EXCEPTION 'not a model version' USING ERRCODE = 'invalid_parameter_value';
    END IF;
END
$$;

CREATE FUNCTION check_embedding_weights(wanted_digest text, wanted_dim integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    IF wanted_digest IS NULL OR wanted_digest !~ '^(sha256:)?[0-9a-f]{64}$' THEN
        RAISE EXCEPTION 'not a sha256 digest' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF wanted_dim IS NULL OR wanted_dim NOT BETWEEN 1 AND 4000 THEN
        RAISE EXCEPTION 'a dimension is between 1 and 4000, the most that halfvec can index'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
END
$$;
REVOKE ALL ON FUNCTION check_embedding_model(text, text), check_embedding_weights(text, integer) FROM PUBLIC;
