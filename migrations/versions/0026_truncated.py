"""Vectors say whether the model read only a part of their text.

It is a fact of the space and not of the item, since another model may read more. Vectors that are there already count
as of the whole text until they are made anew.
"""

from pathlib import Path

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

MAKE_TABLE = Path(__file__).parents[1] / "spaces" / "truncated.sql"
COLUMN = "truncated boolean NOT NULL DEFAULT false"

# No space is made meanwhile, which would lack the column; items are locked before vectors, as by all who write both.
CHANGE_TABLES = """
DO $$
DECLARE
    space integer;
BEGIN
    PERFORM pg_advisory_xact_lock(embedding_spaces_lock());
    LOCK TABLE search_items IN ACCESS EXCLUSIVE MODE;
    FOR space IN SELECT s.id FROM embedding_spaces s WHERE s.state NOT IN ('planned', 'retired') ORDER BY s.id LOOP
        EXECUTE format('ALTER TABLE public.%I {change}', format('embeddings_%s', space));
    END LOOP;
END
$$;
"""


def upgrade() -> None:
    """Add the column to the tables that there are, and to those to come."""
    op.execute(CHANGE_TABLES.replace("{change}", f"ADD COLUMN {COLUMN}"))
    op.execute(MAKE_TABLE.read_text(encoding="utf-8"))


def downgrade() -> None:
    """Drop it."""
    op.execute(CHANGE_TABLES.replace("{change}", "DROP COLUMN truncated"))
    op.execute(MAKE_TABLE.read_text(encoding="utf-8").replace(f"        {COLUMN},\n", ""))
