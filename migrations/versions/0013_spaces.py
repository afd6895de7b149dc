"""Change of embedding model: spaces that are planned, filled beside the active one, switched to, and retired.

Rights, and why:

* ``embedding_spaces``: the service role still only reads it. ``plan_embedding_space``, ``define_embedding_space`` and
  ``switch_embedding_space`` run as the owner and check what they are given. ``retire_embedding_space`` drops a table
  that was served from, so only the owner calls it.
* ``embedding_fills``, ``embedding_nodes``, ``embedding_production``: notes of the embedding nodes, of no tenant.
* ``embedding_failures``: rows of tenants, under row-level security.
* ``count_embedding_space`` counts over all tenants as the owner, and returns numbers only.
* ``embedding_index_builds`` reads the progress of builds as the owner, who alone can build: an index is the table
  owner's, and building one beside writers is possible in no function.

Who stores vectors holds the advisory lock ``embedding_spaces_lock()`` shared until commit, and who changes which spaces
there are holds it alone. So a writer never sees a switch half done, and a switch counts every vector stored before it.
"""

from pathlib import Path

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

FILES = Path(__file__).parents[1] / "spaces"


def upgrade() -> None:
    """Create the tables, and the functions that change spaces."""
    for name in ("tables", "vectors", "index", "create", "switch"):
        _run(name)


def downgrade() -> None:
    """Drop them, with every space but the active one."""
    _run("downgrade")
    _run("former")


def _run(name: str) -> None:
    op.execute((FILES / f"{name}.sql").read_text(encoding="utf-8"))
