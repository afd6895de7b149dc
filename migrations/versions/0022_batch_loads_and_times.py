"""What is known of each chunk besides: deaths while its model was loaded, and how long it took.

No item is to blame for a death while the model is loaded, so that it counts by itself.
"""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

COLUMNS = """
ALTER TABLE batch_chunks
    ADD COLUMN load_deaths integer NOT NULL DEFAULT 0,
    ADD COLUMN seconds double precision CHECK (seconds >= 0);
COMMENT ON COLUMN batch_chunks.deaths IS 'how often its holder died over it, other than over the loading of the model';
COMMENT ON COLUMN batch_chunks.load_deaths IS 'how often its holder died while it loaded the model';
COMMENT ON COLUMN batch_chunks.seconds IS 'from its last claim to its results';
"""


def upgrade() -> None:
    """Apply."""
    op.execute(COLUMNS)


def downgrade() -> None:
    """Revert."""
    op.execute("ALTER TABLE batch_chunks DROP COLUMN seconds, DROP COLUMN load_deaths")
    op.execute("COMMENT ON COLUMN batch_chunks.deaths IS 'how often its holder died over it'")
