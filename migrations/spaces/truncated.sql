CREATE OR REPLACE FUNCTION make_embeddings_table(space_id integer, dim integer, indexed boolean) RETURNS void
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
        truncated boolean NOT NULL DEFAULT false,
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
