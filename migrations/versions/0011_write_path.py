"""Uploads, and an index of the items that failed.

An upload is a file of items that comes line by line. Its row says how far it is stored, in the transactions that store
the lines, so that a client whose connection broke can ask, and can send the same file again.
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

FAILED = """
CREATE INDEX search_items_failed ON search_items (tenant_id, entity_type, entity_id) WHERE state = 'failed';
"""

UPLOADS = """
CREATE TABLE search_uploads (
    tenant_id    text NOT NULL DEFAULT current_setting('ml.tenant'),
    upload_id    text NOT NULL CHECK (length(upload_id) BETWEEN 1 AND 255),
    lines        bigint NOT NULL DEFAULT 0 CHECK (lines >= 0), -- up to this one, what became of each is known
    stored       bigint NOT NULL DEFAULT 0 CHECK (stored >= 0),
    failed_lines bigint[] NOT NULL DEFAULT '{}',
    sha256       bytea NOT NULL, -- of these lines
    complete     boolean NOT NULL DEFAULT false,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, upload_id)
);
CREATE INDEX search_uploads_age ON search_uploads (tenant_id, updated_at);
ALTER TABLE search_uploads ENABLE ROW LEVEL SECURITY;
ALTER TABLE search_uploads FORCE ROW LEVEL SECURITY;
CREATE POLICY search_uploads_tenant ON search_uploads
    USING (tenant_id = current_setting('ml.tenant', true))
    WITH CHECK (tenant_id = current_setting('ml.tenant', true));
GRANT SELECT, INSERT, UPDATE, DELETE ON search_uploads TO ml_app;
"""


def upgrade() -> None:
    """Apply."""
    op.execute(FAILED)
    op.execute(UPLOADS)


def downgrade() -> None:
    """Revert."""
    op.execute("DROP TABLE search_uploads")
    op.execute("DROP INDEX search_items_failed")
