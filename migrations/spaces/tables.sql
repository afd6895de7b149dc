DO $$
DECLARE
    found text := (SELECT x.extversion FROM pg_extension x WHERE x.extname = 'vector');
BEGIN
    IF string_to_array(split_part(found, '-', 1), '.')::integer[] < ARRAY[0, 8, 0] THEN
        RAISE EXCEPTION 'pgvector is % in this database, and search needs the iterative index scans of 0.8.0', found
            USING HINT = 'Install a newer pgvector, run ALTER EXTENSION vector UPDATE as its owner, and migrate again.';
    END IF;
END
$$;

ALTER TABLE embedding_spaces DROP CONSTRAINT embedding_spaces_state_check;
ALTER TABLE embedding_spaces DROP CONSTRAINT embedding_spaces_model_digest_key;
ALTER TABLE embedding_spaces
    ALTER COLUMN digest DROP NOT NULL,
    ALTER COLUMN dim DROP NOT NULL,
    ADD COLUMN requested_by text NOT NULL DEFAULT 'embedding',
    ADD COLUMN changed_at timestamptz NOT NULL DEFAULT now(), -- when it came into its state
    ADD COLUMN note text, -- why it is as it is, in words for the operator
    -- planned: a version that no node has loaded yet. building: being filled. active: searched. standby: was searched,
    -- and is kept up to date. retired: its table is gone.
    ADD CONSTRAINT embedding_spaces_state_check
        CHECK (state IN ('planned', 'building', 'active', 'standby', 'retired')),
    ADD CONSTRAINT embedding_spaces_defined
        CHECK (state IN ('planned', 'retired') OR (digest IS NOT NULL AND dim IS NOT NULL));

-- Before, each set of weights made a space that nothing filled. One is filled at a time: the newest.
DO $$
DECLARE
    former integer;
BEGIN
    FOR former IN
        SELECT s.id FROM embedding_spaces s WHERE s.state = 'building'
            AND s.id < (SELECT max(n.id) FROM embedding_spaces n WHERE n.state = 'building')
    LOOP
        EXECUTE format('DROP TABLE IF EXISTS public.%I', format('embeddings_%s', former));
        UPDATE embedding_spaces s SET state = 'retired', changed_at = now(), note = 'a newer one is filled'
        WHERE s.id = former;
    END LOOP;
END
$$;
CREATE UNIQUE INDEX embedding_spaces_live ON embedding_spaces (model, digest) WHERE state <> 'retired';
CREATE UNIQUE INDEX embedding_spaces_one_new ON embedding_spaces ((true)) WHERE state IN ('planned', 'building');

-- How far the filling of a space is. NULL in the cursor: the pass begins.
CREATE TABLE embedding_fills (
    space_id     integer PRIMARY KEY REFERENCES embedding_spaces ON DELETE CASCADE,
    pass         integer NOT NULL DEFAULT 1,
    after_tenant text,
    after_type   text,
    after_id     text,
    seen         bigint NOT NULL DEFAULT 0, -- items gone over in this pass
    lacking      bigint NOT NULL DEFAULT 0, -- those of them that had no vector of their text
    stored       bigint NOT NULL DEFAULT 0, -- vectors, in all passes
    complete_at  timestamptz,               -- when a pass found nothing lacking
    holder       text,                      -- the node that fills
    held_until   timestamptz,
    problem      text,                      -- why nothing happens, in words for the operator
    updated_at   timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT, UPDATE, DELETE ON embedding_fills TO ml_app;
INSERT INTO embedding_fills (space_id) SELECT id FROM embedding_spaces WHERE state = 'building';

-- Texts that the model of a space cannot take.
CREATE TABLE embedding_failures (
    space_id       integer NOT NULL REFERENCES embedding_spaces ON DELETE CASCADE,
    tenant_id      text NOT NULL,
    entity_type    text NOT NULL,
    entity_id      text NOT NULL,
    content_sha256 text NOT NULL,
    reason         text NOT NULL,
    PRIMARY KEY (space_id, tenant_id, entity_type, entity_id),
    FOREIGN KEY (tenant_id, entity_type, entity_id) REFERENCES search_items ON DELETE CASCADE
);
CREATE INDEX embedding_failures_item ON embedding_failures (tenant_id, entity_type, entity_id);
ALTER TABLE embedding_failures ENABLE ROW LEVEL SECURITY;
ALTER TABLE embedding_failures FORCE ROW LEVEL SECURITY;
CREATE POLICY embedding_failures_tenant ON embedding_failures
    USING (tenant_id = current_setting('ml.tenant', true))
    WITH CHECK (tenant_id = current_setting('ml.tenant', true));
CREATE POLICY embedding_failures_owner ON embedding_failures TO CURRENT_USER USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON embedding_failures TO ml_app;

-- Which spaces each running node can embed for.
CREATE TABLE embedding_nodes (
    node    text PRIMARY KEY,
    spaces  integer[] NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT, UPDATE, DELETE ON embedding_nodes TO ml_app;

-- The version in production that was last acted upon, so that each promotion is acted upon once.
CREATE TABLE embedding_production (
    model     text PRIMARY KEY,
    version   text NOT NULL,
    follow    integer REFERENCES embedding_spaces ON DELETE SET NULL, -- to switch to as soon as it is complete
    noted_at  timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT, UPDATE ON embedding_production TO ml_app;

CREATE TABLE embedding_reindex_shards (
    tenant_id   text NOT NULL,
    job         text NOT NULL,
    shard       bigint NOT NULL,
    space_id    integer NOT NULL REFERENCES embedding_spaces ON DELETE CASCADE,
    entity_type text NOT NULL,
    after_id    text NOT NULL, -- the last id that is done; at first the one before the shard
    last_id     text NOT NULL,
    items       bigint NOT NULL,
    stored      bigint NOT NULL DEFAULT 0,
    failed      bigint NOT NULL DEFAULT 0,
    done        boolean NOT NULL DEFAULT false,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, job, shard)
);
ALTER TABLE embedding_reindex_shards ENABLE ROW LEVEL SECURITY;
ALTER TABLE embedding_reindex_shards FORCE ROW LEVEL SECURITY;
CREATE POLICY embedding_reindex_shards_tenant ON embedding_reindex_shards
    USING (tenant_id = current_setting('ml.tenant', true))
    WITH CHECK (tenant_id = current_setting('ml.tenant', true));
CREATE POLICY embedding_reindex_shards_owner ON embedding_reindex_shards TO CURRENT_USER USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON embedding_reindex_shards TO ml_app;
