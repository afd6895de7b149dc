"""Results of tables: what was answered for the rows of a chunk is one object, which the chunk names.

The object is committed with the chunk. Rows that failed have a row of ``batch_results`` each, as items of other jobs
do, so that they are counted, listed and tried again in the same way.
"""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

OBJECTS = """
ALTER TABLE batch_chunks ADD COLUMN result_key text;
COMMENT ON COLUMN batch_chunks.result_key IS 'object with the answers of the items that succeeded';
"""


def upgrade() -> None:
    """Apply."""
    op.execute(OBJECTS)


def downgrade() -> None:
    """Revert; jobs whose results are objects cannot be kept."""
    op.execute(
        "DELETE FROM batch_jobs j WHERE EXISTS (SELECT FROM batch_chunks c "
        "WHERE (c.tenant_id, c.job_id) = (j.tenant_id, j.id) AND c.result_key IS NOT NULL)"
    )
    op.execute("ALTER TABLE batch_chunks DROP COLUMN result_key")
