-- Over all tenants: items whose text has a vector; those that lack one; those that are found today and that the model
-- of this space cannot take. Items that wait for their embedding get one in every space, and are not counted.
CREATE FUNCTION count_embedding_space(space integer, OUT covered bigint, OUT lacking bigint, OUT failed bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    EXECUTE format(
        'SELECT count(*) FILTER (WHERE e.tenant_id IS NOT NULL),
            count(*) FILTER (WHERE e.tenant_id IS NULL AND f.tenant_id IS NULL),
            count(*) FILTER (WHERE e.tenant_id IS NULL AND f.tenant_id IS NOT NULL AND i.state = ''embedded'')
         FROM search_items i
         LEFT JOIN public.%I e ON e.tenant_id = i.tenant_id AND e.entity_type = i.entity_type
            AND e.entity_id = i.entity_id AND e.content_sha256 = i.content_sha256
         LEFT JOIN embedding_failures f ON f.space_id = %s AND f.tenant_id = i.tenant_id
            AND f.entity_type = i.entity_type AND f.entity_id = i.entity_id AND f.content_sha256 = i.content_sha256
         WHERE i.state <> ''pending''', format('embeddings_%s', space), space)
    INTO covered, lacking, failed;
END
$$;

-- Makes a space the one that is searched, unless items would be lost by it or its index cannot be searched; the former
-- one is kept up to date.
-- Returns lacking and failed as `count_embedding_space` does, and whether it was switched.
CREATE FUNCTION switch_embedding_space(target integer, accept_failures boolean,
    OUT switched boolean, OUT lacking bigint, OUT failed bigint, OUT former integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    found_state text;
    index_state text;
BEGIN
    switched := false;
    PERFORM pg_advisory_xact_lock(embedding_spaces_lock());
    SELECT s.state INTO found_state FROM embedding_spaces s WHERE s.id = target;
    IF found_state IS NULL OR found_state NOT IN ('building', 'standby') THEN
        RAISE EXCEPTION 'embedding space % is %', target, coalesce(found_state, 'not there')
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    index_state := embedding_index_state(target);
    IF index_state <> 'valid' THEN
        RAISE EXCEPTION 'the index of embedding space % is %', target, index_state
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    SELECT c.lacking, c.failed INTO lacking, failed FROM count_embedding_space(target) c;
    IF lacking > 0 OR (failed > 0 AND NOT accept_failures) THEN
        RETURN;
    END IF;
    -- What the model of the former space cannot take is of no account to the new one, and is remembered for a roll-back.
    INSERT INTO embedding_failures (space_id, tenant_id, entity_type, entity_id, content_sha256, reason)
    SELECT s.id, i.tenant_id, i.entity_type, i.entity_id, i.content_sha256, i.error
    FROM search_items i CROSS JOIN embedding_spaces s WHERE i.state = 'failed' AND s.state = 'active'
    ON CONFLICT (space_id, tenant_id, entity_type, entity_id) DO UPDATE
    SET content_sha256 = excluded.content_sha256, reason = excluded.reason;
    UPDATE search_items i SET state = 'failed', error = f.reason FROM embedding_failures f
    WHERE f.space_id = target AND i.tenant_id = f.tenant_id AND i.entity_type = f.entity_type
        AND i.entity_id = f.entity_id AND i.content_sha256 = f.content_sha256 AND i.state = 'embedded';
    EXECUTE format(
        'UPDATE search_items i SET state = ''embedded'', error = NULL FROM public.%I e
         WHERE i.state = ''failed'' AND e.tenant_id = i.tenant_id AND e.entity_type = i.entity_type
            AND e.entity_id = i.entity_id AND e.content_sha256 = i.content_sha256', format('embeddings_%s', target));
    UPDATE embedding_spaces s SET state = 'standby', changed_at = now(), note = NULL
    WHERE s.state = 'active' RETURNING s.id INTO former;
    IF former IS NOT NULL THEN
        INSERT INTO embedding_fills (space_id) VALUES (former) ON CONFLICT DO NOTHING;
    END IF;
    UPDATE embedding_spaces s SET state = 'active', changed_at = now(), note = NULL WHERE s.id = target;
    UPDATE embedding_production p SET follow = NULL;
    switched := true;
END
$$;

CREATE FUNCTION retire_embedding_space(target integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '3s'
AS $$
DECLARE
    found_state text;
BEGIN
    PERFORM pg_advisory_xact_lock(embedding_spaces_lock());
    SELECT s.state INTO found_state FROM embedding_spaces s WHERE s.id = target;
    IF found_state IS NULL OR found_state NOT IN ('planned', 'building', 'standby') THEN
        RAISE EXCEPTION 'embedding space % is %', target, coalesce(found_state, 'not there')
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    PERFORM remove_embedding_space(target, NULL);
END
$$;

REVOKE ALL ON FUNCTION count_embedding_space(integer), switch_embedding_space(integer, boolean),
    retire_embedding_space(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION count_embedding_space(integer), switch_embedding_space(integer, boolean) TO ml_app;
