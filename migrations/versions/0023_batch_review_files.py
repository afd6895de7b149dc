"""Uploads whose results are still to be reviewed stay when their job is deleted.

Whoever reviews a result looks at the file that it is about.
"""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

STALE = """
CREATE OR REPLACE FUNCTION stale_batch_uploads(grace interval, most integer) RETURNS TABLE (tenant_id text, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT u.tenant_id, u.id FROM batch_uploads u
    WHERE u.removed
        OR u.job_id IS NULL AND u.created_at < clock_timestamp() - grace
        OR u.job_id IS NOT NULL
            AND NOT EXISTS (SELECT FROM batch_jobs j WHERE (j.tenant_id, j.id) = (u.tenant_id, u.job_id)){reviewed}
    LIMIT most
$$;
"""
REVIEWED = """
            AND NOT EXISTS (SELECT FROM batch_reviews r
                WHERE (r.tenant_id, r.job_id) = (u.tenant_id, u.job_id) AND r.state = 'pending')"""


def upgrade() -> None:
    """Apply."""
    op.execute(STALE.format(reviewed=REVIEWED))


def downgrade() -> None:
    """Revert."""
    op.execute(STALE.format(reviewed=""))
