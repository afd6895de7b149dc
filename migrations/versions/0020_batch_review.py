"""Results of batch jobs that a person looks at.

A job names the confidence below which its results are reviewed; such a result is put into the queue by the transaction
that stores it. The entry holds what it is about and outlives the job, since training sets are made of corrections.
"""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

REVIEWS = """
ALTER TABLE batch_jobs ADD COLUMN review_below double precision CHECK (review_below > 0 AND review_below <= 1);
COMMENT ON COLUMN batch_jobs.review_below IS 'results with less confidence are reviewed; NULL: none is';

CREATE TABLE batch_reviews (
    tenant_id  text NOT NULL DEFAULT current_setting('ml.tenant'),
    id         uuid NOT NULL DEFAULT gen_random_uuid(),
    number     bigint GENERATED ALWAYS AS IDENTITY,
    job_id     uuid NOT NULL,
    item       bigint NOT NULL,
    model      text NOT NULL,
    version    text NOT NULL,
    digest     text,
    input      json,
    output     json NOT NULL,
    confidence double precision NOT NULL CHECK (confidence >= 0 AND confidence <= 1),
    state      text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'approved', 'corrected', 'rejected')),
    label      json,
    note       text,
    reviewer   text,
    created_at timestamptz NOT NULL DEFAULT now(),
    decided_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, job_id, item, version),
    CHECK ((state = 'pending') = (decided_at IS NULL)),
    CHECK ((state = 'pending') = (reviewer IS NULL)),
    CHECK ((state = 'corrected') = (label IS NOT NULL))
);
COMMENT ON COLUMN batch_reviews.number IS 'the order of lists, and their cursor';
COMMENT ON COLUMN batch_reviews.label IS 'what the answer should have been';
CREATE INDEX batch_reviews_newest ON batch_reviews (tenant_id, state, number);
CREATE INDEX batch_reviews_decided ON batch_reviews (tenant_id, model, decided_at) WHERE decided_at IS NOT NULL;

ALTER TABLE batch_reviews ENABLE ROW LEVEL SECURITY;
ALTER TABLE batch_reviews FORCE ROW LEVEL SECURITY;
CREATE POLICY batch_reviews_owner ON batch_reviews TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY batch_reviews_tenant ON batch_reviews TO ml_app
    USING (tenant_id = current_setting('ml.tenant', true))
    WITH CHECK (tenant_id = current_setting('ml.tenant', true));
GRANT SELECT, INSERT, UPDATE, DELETE ON batch_reviews TO ml_app;
"""


def upgrade() -> None:
    """Apply."""
    op.execute(REVIEWS)


def downgrade() -> None:
    """Revert."""
    op.execute("DROP TABLE batch_reviews")
    op.execute("ALTER TABLE batch_jobs DROP COLUMN review_below")
