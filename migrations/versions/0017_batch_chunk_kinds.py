"""Chunks of batch jobs that do not hold their items, or that make other chunks, or that follow the end of a job.

A ``split`` chunk reads an input that is stored elsewhere and adds the chunks to score; the items of its job grow until
it is done. ``finish`` chunks are queued in the transaction that ends a job, for jobs that want some; they never keep a
job from ending. What a chunk works on is its ``input``, or its ``source`` says where that is.
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

KINDS = """
ALTER TABLE batch_jobs
    DROP CONSTRAINT batch_jobs_items_check,
    ADD CONSTRAINT batch_jobs_items_check CHECK (items >= 0),
    ADD COLUMN finish json,
    ADD COLUMN summary json;
COMMENT ON COLUMN batch_jobs.finish IS 'sources of the chunks that follow the end of the job; NULL: none is wanted';
COMMENT ON COLUMN batch_jobs.summary IS 'what those chunks came to, by what they are';

ALTER TABLE batch_chunks
    ADD COLUMN kind text NOT NULL DEFAULT 'score' CHECK (kind IN ('score', 'split', 'finish')),
    ADD COLUMN source json,
    ALTER COLUMN input DROP NOT NULL,
    DROP CONSTRAINT batch_chunks_item_count_check,
    ADD CONSTRAINT batch_chunks_item_count_check CHECK (item_count > 0 OR item_count = 0 AND kind <> 'score'),
    ADD CONSTRAINT batch_chunks_content_check CHECK (num_nonnulls(input, source) = 1);
COMMENT ON COLUMN batch_chunks.source IS 'where the input is; "first" in it numbers the first item it describes';
"""

ONLY_ITEMS = """
DELETE FROM batch_chunks WHERE kind = 'finish';
DELETE FROM batch_jobs j WHERE j.items = 0
    OR EXISTS (SELECT FROM batch_chunks c WHERE (c.tenant_id, c.job_id) = (j.tenant_id, j.id) AND c.input IS NULL);
ALTER TABLE batch_chunks
    DROP CONSTRAINT batch_chunks_content_check,
    DROP CONSTRAINT batch_chunks_item_count_check,
    ADD CONSTRAINT batch_chunks_item_count_check CHECK (item_count > 0),
    ALTER COLUMN input SET NOT NULL,
    DROP COLUMN source,
    DROP COLUMN kind;
ALTER TABLE batch_jobs
    DROP COLUMN summary,
    DROP COLUMN finish,
    DROP CONSTRAINT batch_jobs_items_check,
    ADD CONSTRAINT batch_jobs_items_check CHECK (items > 0);
"""


def upgrade() -> None:
    """Apply."""
    op.execute(KINDS)


def downgrade() -> None:
    """Revert; jobs whose input is not in their chunks cannot be kept."""
    op.execute(ONLY_ITEMS)
