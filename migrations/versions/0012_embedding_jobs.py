"""Jobs that embed large inputs.

The service role sees and writes the jobs of the tenant it acts for. Taking the next job looks at those of all tenants,
which ``claim_embedding_job`` does as the owner, and so does ``claim_removed_embedding_job`` with the next job to clear
away; they return whose job it is, and all else is done as that tenant.
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE embedding_jobs (
    tenant_id   text NOT NULL DEFAULT current_setting('ml.tenant'),
    id          uuid NOT NULL,
    state       text NOT NULL DEFAULT 'pending'
                CHECK (state IN ('pending', 'running', 'done', 'failed', 'removed')),
    input_key   text NOT NULL,
    output      text NOT NULL CHECK (output IN ('ndjson', 'npy')),
    prompt      text NOT NULL DEFAULT '',
    dimensions  integer CHECK (dimensions > 0),
    model       text,
    version     text,
    digest      text,
    dimension   integer,
    position    bigint NOT NULL DEFAULT 0,
    skipping    boolean NOT NULL DEFAULT false,
    parts       integer NOT NULL DEFAULT 0,
    most_parts  integer NOT NULL DEFAULT 0,
    lines       bigint NOT NULL DEFAULT 0,
    texts       bigint NOT NULL DEFAULT 0,
    failed      bigint NOT NULL DEFAULT 0,
    claims      integer NOT NULL DEFAULT 0,
    stalls      integer NOT NULL DEFAULT 0,
    lease_until timestamptz,
    error       text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    CHECK (state = 'removed' OR (finished_at IS NOT NULL) = (state IN ('done', 'failed')))
);
COMMENT ON COLUMN embedding_jobs.state IS 'removed: nobody sees it, and its objects are about to be deleted';
COMMENT ON COLUMN embedding_jobs.most_parts IS 'the highest that parts has been, before it started over';
COMMENT ON COLUMN embedding_jobs.position IS 'bytes of the input whose answers are stored';
COMMENT ON COLUMN embedding_jobs.skipping IS 'position is inside a line that is too long';
COMMENT ON COLUMN embedding_jobs.claims IS 'how often it was taken; the number of the last one is its holder''s';
COMMENT ON COLUMN embedding_jobs.stalls IS 'how often it was taken since something was last stored';
CREATE INDEX embedding_jobs_open ON embedding_jobs (created_at) WHERE state IN ('pending', 'running');
CREATE INDEX embedding_jobs_ended ON embedding_jobs (finished_at) WHERE state IN ('done', 'failed');
CREATE INDEX embedding_jobs_removed ON embedding_jobs (lease_until) WHERE state = 'removed';

ALTER TABLE embedding_jobs ENABLE ROW LEVEL SECURITY;
ALTER TABLE embedding_jobs FORCE ROW LEVEL SECURITY;
CREATE POLICY embedding_jobs_owner ON embedding_jobs TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY embedding_jobs_tenant ON embedding_jobs TO ml_app
    USING (tenant_id = current_setting('ml.tenant', true))
    WITH CHECK (tenant_id = current_setting('ml.tenant', true));
GRANT SELECT, INSERT, UPDATE, DELETE ON embedding_jobs TO ml_app;
"""

CLAIM = """
-- Takes the oldest job that nobody holds; a holder that died lets go when its lease ends.
CREATE FUNCTION claim_embedding_job(lease interval) RETURNS TABLE (tenant_id text, id uuid)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
    UPDATE embedding_jobs j
    SET state = 'running', claims = j.claims + 1, stalls = j.stalls + 1, lease_until = now() + lease
    WHERE (j.tenant_id, j.id) = (
        SELECT o.tenant_id, o.id FROM embedding_jobs o
        WHERE o.state = 'pending' OR (o.state = 'running' AND o.lease_until < now())
        ORDER BY o.created_at LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    RETURNING j.tenant_id, j.id
$$;
REVOKE EXECUTE ON FUNCTION claim_embedding_job(interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION claim_embedding_job(interval) TO ml_app;

-- Takes a job to clear away: one that was removed, once whoever worked on it has let go, or one that ended long ago.
CREATE FUNCTION claim_removed_embedding_job(retention interval, lease interval)
RETURNS TABLE (tenant_id text, id uuid)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
    UPDATE embedding_jobs j SET state = 'removed', lease_until = now() + lease
    WHERE (j.tenant_id, j.id) = (
        SELECT o.tenant_id, o.id FROM embedding_jobs o
        WHERE (o.state = 'removed' AND (o.lease_until IS NULL OR o.lease_until < now()))
            OR (o.state IN ('done', 'failed') AND o.finished_at < now() - retention)
        LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    RETURNING j.tenant_id, j.id
$$;
REVOKE EXECUTE ON FUNCTION claim_removed_embedding_job(interval, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION claim_removed_embedding_job(interval, interval) TO ml_app;
"""


def upgrade() -> None:
    """Apply."""
    op.execute(TABLE)
    op.execute(CLAIM)


def downgrade() -> None:
    """Revert."""
    op.execute("DROP FUNCTION claim_removed_embedding_job(interval, interval), claim_embedding_job(interval)")
    op.execute("DROP TABLE embedding_jobs")
