-- A table with a foreign key is made and dropped under a lock on search_items. Whoever asks for that lock makes all
-- others wait behind it; so these functions give up after a while, and their callers try again.

-- Returns the id of the space of these weights, made when there is none. The first space is active at once; a later
-- one is 'building' until it holds every item.
CREATE OR REPLACE FUNCTION create_embedding_space(
    wanted_model text, wanted_version text, wanted_digest text, wanted_dim integer)
RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '3s'
AS $$
DECLARE
    space embedding_spaces%ROWTYPE;
BEGIN
    PERFORM check_embedding_model(wanted_model, wanted_version);
    PERFORM check_embedding_weights(wanted_digest, wanted_dim);
    PERFORM pg_advisory_xact_lock(embedding_spaces_lock());
    SELECT * INTO space FROM embedding_spaces s
    WHERE s.model = wanted_model AND s.digest = wanted_digest AND s.state <> 'retired';
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
    INSERT INTO embedding_fills (space_id) VALUES (space.id);
    PERFORM make_embeddings_table(space.id, wanted_dim, true);
    RETURN space.id;
END
$$;

-- Returns the id of a space for a version of a model: the live one that was made with it, else one that is planned
-- now, and that a node defines as soon as it has loaded the version. It takes the place of one that is not complete.
CREATE FUNCTION plan_embedding_space(wanted_model text, wanted_version text, actor text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '3s'
AS $$
DECLARE
    space_id integer;
    former integer;
BEGIN
    PERFORM check_embedding_model(wanted_model, wanted_version);
    PERFORM pg_advisory_xact_lock(embedding_spaces_lock());
    SELECT s.id INTO space_id FROM embedding_spaces s
    WHERE s.model = wanted_model AND s.model_version = wanted_version AND s.state <> 'retired';
    IF FOUND THEN
        RETURN space_id;
    END IF;
    SELECT s.id INTO former FROM embedding_spaces s WHERE s.state IN ('planned', 'building');
    IF FOUND THEN
        PERFORM remove_embedding_space(former, format('version %s came before it was switched to', wanted_version));
    END IF;
    INSERT INTO embedding_spaces (model, model_version, state, requested_by)
    VALUES (wanted_model, wanted_version, 'planned', actor) RETURNING id INTO space_id;
    INSERT INTO embedding_fills (space_id) VALUES (space_id);
    RETURN space_id;
END
$$;

-- Gives a planned space its weights and its table. Returns its id, or that of a live space with the same weights, which
-- then stands for this version as well. With at most live_items items to fill, or any number when that is NULL, the
-- table has its HNSW index at once; else `mlp spaces` builds it when the vectors are there.
CREATE FUNCTION define_embedding_space(planned integer, wanted_digest text, wanted_dim integer, live_items bigint)
RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '3s'
AS $$
DECLARE
    space embedding_spaces%ROWTYPE;
    other integer;
    searched boolean;
    many boolean;
BEGIN
    PERFORM check_embedding_weights(wanted_digest, wanted_dim);
    PERFORM pg_advisory_xact_lock(embedding_spaces_lock());
    SELECT * INTO space FROM embedding_spaces s WHERE s.id = planned;
    IF NOT FOUND OR space.state = 'retired' THEN
        RETURN NULL; -- another one was planned meanwhile
    END IF;
    IF space.state <> 'planned' THEN
        RETURN space.id; -- another node was faster
    END IF;
    SELECT s.id INTO other FROM embedding_spaces s
    WHERE s.model = space.model AND s.digest = wanted_digest AND s.state <> 'retired';
    IF FOUND THEN
        PERFORM remove_embedding_space(planned, format('space %s has the same weights', other));
        UPDATE embedding_spaces s SET model_version = space.model_version WHERE s.id = other;
        UPDATE embedding_production p SET follow = other WHERE p.follow = planned;
        RETURN other;
    END IF;
    searched := NOT EXISTS (SELECT FROM embedding_spaces a WHERE a.state = 'active');
    -- Counted no further than it matters: the planner's estimate may be of yesterday.
    many := live_items IS NOT NULL
        AND (SELECT count(*) > live_items FROM (SELECT FROM search_items LIMIT live_items + 1) i);
    UPDATE embedding_spaces s SET digest = wanted_digest, dim = wanted_dim, changed_at = now(),
        state = CASE WHEN searched THEN 'active' ELSE 'building' END
    WHERE s.id = planned;
    PERFORM make_embeddings_table(planned, wanted_dim, searched OR NOT many);
    RETURN planned;
END
$$;

-- The lock on search_items comes first, in the order in which others read items and then their vectors: else they and
-- this would wait for each other.
CREATE FUNCTION remove_embedding_space(space_id integer, why text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    LOCK TABLE public.search_items IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('DROP TABLE IF EXISTS public.%I', format('embeddings_%s', space_id));
    DELETE FROM embedding_fills f WHERE f.space_id = remove_embedding_space.space_id;
    DELETE FROM embedding_failures f WHERE f.space_id = remove_embedding_space.space_id;
    DELETE FROM embedding_reindex_shards h WHERE h.space_id = remove_embedding_space.space_id;
    UPDATE embedding_production p SET follow = NULL WHERE p.follow = remove_embedding_space.space_id;
    UPDATE embedding_spaces s SET state = 'retired', changed_at = now(), note = why
    WHERE s.id = remove_embedding_space.space_id;
END
$$;

REVOKE ALL ON FUNCTION plan_embedding_space(text, text, text), define_embedding_space(integer, text, integer, bigint),
    remove_embedding_space(integer, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION plan_embedding_space(text, text, text), define_embedding_space(integer, text, integer, bigint)
    TO ml_app;
