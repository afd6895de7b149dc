"""How many results of an index are re-ranked.

NULL is the service's default, which is none.
"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the setting."""
    op.execute("ALTER TABLE search_settings ADD COLUMN rerank integer CHECK (rerank BETWEEN 0 AND 200)")


def downgrade() -> None:
    """Drop it."""
    op.execute("ALTER TABLE search_settings DROP COLUMN rerank")
