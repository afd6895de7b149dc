"""Uploads reserve their bytes before they are read.

What an upload under way takes counts into the quota of its tenant and into what its machine may hold on the disk, so
that uploads which come together are refused before they are read and not after. A reservation is a lease: that of a
process which died counts no more when it has ended. An upload whose lease stands goes on, so it is not taken for broken
off however long it takes.
"""

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

RESERVATIONS = """
ALTER TABLE batch_uploads
    ADD COLUMN reserved bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    ADD COLUMN spooled bigint NOT NULL DEFAULT 0 CHECK (spooled >= 0),
    ADD COLUMN host text,
    ADD COLUMN reserved_until timestamptz;
COMMENT ON COLUMN batch_uploads.reserved IS 'bytes that it may come to while it has no job; they count until then';
COMMENT ON COLUMN batch_uploads.spooled IS 'bytes of them that may be on the disk of the host at a time';
COMMENT ON COLUMN batch_uploads.host IS 'which machine receives it';
COMMENT ON COLUMN batch_uploads.reserved_until IS 'after this nothing is reserved; NULL: nothing is any more';
CREATE INDEX batch_uploads_under_way ON batch_uploads (host) WHERE reserved_until IS NOT NULL;

CREATE FUNCTION spooled_batch_bytes(of_host text, besides uuid) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT coalesce(sum(u.spooled), 0)::bigint FROM batch_uploads u
    WHERE u.host = of_host AND u.reserved_until > clock_timestamp() AND u.id <> besides
$$;
REVOKE EXECUTE ON FUNCTION spooled_batch_bytes(text, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION spooled_batch_bytes(text, uuid) TO ml_app;
"""

STALE = """
CREATE OR REPLACE FUNCTION stale_batch_uploads(grace interval, most integer) RETURNS TABLE (tenant_id text, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT u.tenant_id, u.id FROM batch_uploads u
    WHERE u.removed
        OR u.job_id IS NULL AND u.created_at < clock_timestamp() - grace{broken_off}
        OR u.job_id IS NOT NULL
            AND NOT EXISTS (SELECT FROM batch_jobs j WHERE (j.tenant_id, j.id) = (u.tenant_id, u.job_id))
            AND NOT EXISTS (SELECT FROM batch_reviews r
                WHERE (r.tenant_id, r.job_id) = (u.tenant_id, u.job_id) AND r.state = 'pending')
    LIMIT most
$$;
"""
BROKEN_OFF = """
            AND (u.reserved_until IS NULL OR u.reserved_until < clock_timestamp())"""


def upgrade() -> None:
    """Apply."""
    op.execute(RESERVATIONS)
    op.execute(STALE.format(broken_off=BROKEN_OFF))


def downgrade() -> None:
    """Revert; uploads that come together are held to the quota when they have been read."""
    op.execute(STALE.format(broken_off=""))
    op.execute("DROP FUNCTION spooled_batch_bytes(text, uuid)")
    op.execute(
        "ALTER TABLE batch_uploads DROP COLUMN reserved, DROP COLUMN spooled, DROP COLUMN host, "
        "DROP COLUMN reserved_until"
    )
