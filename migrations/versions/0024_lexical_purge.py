"""A purge of postings writes aside what it cuts out of their rows, and not the rows once for each posting.

Where most of 100,000 items had been written anew, a purge of 170,000 postings wrote 12 GB of temporary files.
"""

from pathlib import Path

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

PURGE = Path(__file__).parents[1] / "lexical" / "purge.sql"


def upgrade() -> None:
    """Apply."""
    op.execute(PURGE.read_text(encoding="utf-8"))


def downgrade() -> None:
    """Revert; without the hints the function does the same, for more."""
    op.execute(PURGE.read_text(encoding="utf-8").replace(" OFFSET 0", ""))
