"""Uploads reserve their bytes before they are read.

What an upload under way takes counts into the quota of its tenant and into what its machine may hold on the disk, so
that uploads which come together are refused before they are read and not after. A reservation is a lease: that of a
process which died counts no more when it has ended.
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


def upgrade() -> None:
    """Apply."""
    op.execute(RESERVATIONS)


def downgrade() -> None:
    """Revert; uploads that come together are held to the quota when they have been read."""
    op.execute("DROP FUNCTION spooled_batch_bytes(text, uuid)")
    op.execute(
        "ALTER TABLE batch_uploads DROP COLUMN reserved, DROP COLUMN spooled, DROP COLUMN host, "
        "DROP COLUMN reserved_until"
    )
