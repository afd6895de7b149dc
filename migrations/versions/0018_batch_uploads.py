"""Files that callers upload for batch jobs.

A row is written before the first byte goes to S3 and names all keys that may follow, so that nothing there is unknown.
It gets its job in the transaction that makes the job. ``stale_batch_uploads`` finds, in all tenants, what has no job:
the upload was broken off, or the job was deleted.
"""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE batch_uploads (
    tenant_id  text NOT NULL DEFAULT current_setting('ml.tenant'),
    id         uuid NOT NULL,
    job_id     uuid,
    objects    integer NOT NULL CHECK (objects > 0),
    files      bigint NOT NULL DEFAULT 0,
    bytes      bigint NOT NULL DEFAULT 0,
    removed    boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id)
);
COMMENT ON COLUMN batch_uploads.objects IS 'how many keys it may have in S3, of which some were perhaps never written';
COMMENT ON COLUMN batch_uploads.removed IS 'its objects are about to be deleted; it can get no job any more';
CREATE INDEX batch_uploads_job ON batch_uploads (tenant_id, job_id);

ALTER TABLE batch_uploads ENABLE ROW LEVEL SECURITY;
ALTER TABLE batch_uploads FORCE ROW LEVEL SECURITY;
CREATE POLICY batch_uploads_owner ON batch_uploads TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY batch_uploads_tenant ON batch_uploads TO ml_app
    USING (tenant_id = current_setting('ml.tenant', true))
    WITH CHECK (tenant_id = current_setting('ml.tenant', true));
GRANT SELECT, INSERT, UPDATE, DELETE ON batch_uploads TO ml_app;

CREATE FUNCTION stale_batch_uploads(grace interval, most integer) RETURNS TABLE (tenant_id text, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT u.tenant_id, u.id FROM batch_uploads u
    WHERE u.removed
        OR u.job_id IS NULL AND u.created_at < clock_timestamp() - grace
        OR u.job_id IS NOT NULL
            AND NOT EXISTS (SELECT FROM batch_jobs j WHERE (j.tenant_id, j.id) = (u.tenant_id, u.job_id))
    LIMIT most
$$;
REVOKE EXECUTE ON FUNCTION stale_batch_uploads(interval, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stale_batch_uploads(interval, integer) TO ml_app;
"""


def upgrade() -> None:
    """Apply."""
    op.execute(TABLE)


def downgrade() -> None:
    """Revert; objects of uploads stay in S3 and have to be deleted under their prefix."""
    op.execute("DROP FUNCTION stale_batch_uploads(interval, integer)")
    op.execute("DROP TABLE batch_uploads")
