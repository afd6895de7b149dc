SELECT retire_embedding_space(id) FROM embedding_spaces WHERE state IN ('planned', 'building', 'standby');
DELETE FROM embedding_fills;
DELETE FROM embedding_spaces WHERE state = 'retired';
DROP FUNCTION retire_embedding_space(integer);
DROP FUNCTION switch_embedding_space(integer, boolean);
DROP FUNCTION count_embedding_space(integer);
DROP FUNCTION embedding_index_builds();
DROP FUNCTION embedding_index_state(integer);
DROP FUNCTION remove_embedding_space(integer, text);
DROP FUNCTION define_embedding_space(integer, text, integer, bigint);
DROP FUNCTION plan_embedding_space(text, text, text);
DO $$
DECLARE
    space integer;
BEGIN
    FOR space IN SELECT id FROM embedding_spaces LOOP
        EXECUTE format('DROP POLICY %I ON public.%I', format('embeddings_%s_owner', space),
            format('embeddings_%s', space));
    END LOOP;
END
$$;
DROP TABLE embedding_reindex_shards, embedding_production, embedding_nodes, embedding_failures, embedding_fills;
DROP INDEX embedding_spaces_one_new, embedding_spaces_live;
ALTER TABLE embedding_spaces DROP CONSTRAINT embedding_spaces_defined;
ALTER TABLE embedding_spaces DROP CONSTRAINT embedding_spaces_state_check;
ALTER TABLE embedding_spaces DROP COLUMN note, DROP COLUMN changed_at, DROP COLUMN requested_by,
    ALTER COLUMN digest SET NOT NULL, ALTER COLUMN dim SET NOT NULL,
    ADD CONSTRAINT embedding_spaces_state_check CHECK (state IN ('building', 'active', 'retired')),
    ADD UNIQUE (model, digest);
