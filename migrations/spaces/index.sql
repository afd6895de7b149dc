-- Whether the HNSW index of a space can be searched: valid, invalid (being built, or the build was broken off), missing.
CREATE FUNCTION embedding_index_state(space integer) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT CASE WHEN bool_or(i.indisvalid AND i.indisready) THEN 'valid' WHEN count(*) > 0 THEN 'invalid'
        ELSE 'missing' END
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
    WHERE a.amname = 'hnsw' AND i.indrelid = to_regclass(format('public.embeddings_%s', space))
$$;

-- How far builds of indexes are. The owner runs them, and Postgres shows the progress of a role to that role only.
CREATE FUNCTION embedding_index_builds(OUT space_id integer, OUT phase text, OUT done bigint, OUT total bigint)
RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT DISTINCT ON (s.id) s.id, p.phase, p.blocks_done, p.blocks_total
    FROM pg_stat_progress_create_index p
    JOIN embedding_spaces s ON p.relid = to_regclass(format('public.embeddings_%s', s.id))
    WHERE p.datname = current_database()
    ORDER BY s.id, p.blocks_total DESC
$$;

REVOKE ALL ON FUNCTION embedding_index_state(integer), embedding_index_builds() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION embedding_index_state(integer), embedding_index_builds() TO ml_app;
