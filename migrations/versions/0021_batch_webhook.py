"""Webhooks of batch jobs.

A job may name an address. Whatever ends the job puts a delivery beside it in the same transaction, as a trigger sees
to: none is lost, and none tells of an end that did not happen. ``claim_batch_delivery`` takes the next one of all
tenants as the owner; of each tenant one is under way at a time, so receivers that hang keep nobody else's waiting.
"""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

DELIVERIES = """
ALTER TABLE batch_jobs ADD COLUMN webhook text;
COMMENT ON COLUMN batch_jobs.webhook IS 'where to tell of its end';

CREATE TABLE batch_deliveries (
    tenant_id   text NOT NULL DEFAULT current_setting('ml.tenant'),
    id          uuid NOT NULL DEFAULT gen_random_uuid(),
    number      bigint GENERATED ALWAYS AS IDENTITY,
    job_id      uuid NOT NULL,
    url         text NOT NULL,
    event       jsonb NOT NULL,
    state       text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'given_up')),
    attempts    integer NOT NULL DEFAULT 0,
    error       text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    due_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    busy_until  timestamptz,
    finished_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, job_id) REFERENCES batch_jobs ON DELETE CASCADE,
    CHECK ((finished_at IS NULL) = (state = 'pending'))
);
COMMENT ON COLUMN batch_deliveries.event IS 'the job as it ended';
COMMENT ON COLUMN batch_deliveries.attempts IS 'how often it was begun; the number of the last one is its holder''s';
CREATE INDEX batch_deliveries_of_job ON batch_deliveries (tenant_id, job_id, number);
CREATE INDEX batch_deliveries_due ON batch_deliveries (due_at) WHERE state = 'pending';
CREATE INDEX batch_deliveries_busy ON batch_deliveries (tenant_id, busy_until) WHERE state = 'pending';

ALTER TABLE batch_deliveries ENABLE ROW LEVEL SECURITY;
ALTER TABLE batch_deliveries FORCE ROW LEVEL SECURITY;
CREATE POLICY batch_deliveries_owner ON batch_deliveries TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY batch_deliveries_tenant ON batch_deliveries TO ml_app
    USING (tenant_id = current_setting('ml.tenant', true))
    WITH CHECK (tenant_id = current_setting('ml.tenant', true));
GRANT SELECT, INSERT, UPDATE, DELETE ON batch_deliveries TO ml_app;

CREATE FUNCTION queue_batch_delivery() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    INSERT INTO batch_deliveries (tenant_id, job_id, url, event) VALUES (NEW.tenant_id, NEW.id, NEW.webhook,
        jsonb_build_object(
            'id', NEW.id, 'kind', NEW.kind, 'model', NEW.model ->> 'name', 'version', NEW.model ->> 'version',
            'state', NEW.state, 'items', NEW.items, 'succeeded', NEW.succeeded, 'failed', NEW.failed,
            'cancelled', NEW.cancelled, 'retries', NEW.retries, 'error', NEW.error,
            'created_at', NEW.created_at, 'finished_at', NEW.finished_at
        ));
    RETURN NULL;
END
$$;
CREATE TRIGGER batch_jobs_ended AFTER UPDATE ON batch_jobs FOR EACH ROW
    WHEN (NEW.webhook IS NOT NULL AND NEW.finished_at IS NOT NULL AND OLD.finished_at IS NULL)
    EXECUTE FUNCTION queue_batch_delivery();

-- Takes the delivery that is due the longest, of a tenant that has none under way.
CREATE FUNCTION claim_batch_delivery(busy interval) RETURNS TABLE (of_tenant text, of_delivery uuid)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
    UPDATE batch_deliveries d
    SET attempts = d.attempts + 1, due_at = clock_timestamp() + busy, busy_until = clock_timestamp() + busy
    WHERE (d.tenant_id, d.id) = (
        SELECT o.tenant_id, o.id FROM batch_deliveries o
        WHERE o.state = 'pending' AND o.due_at <= clock_timestamp() AND NOT EXISTS (
            SELECT 1 FROM batch_deliveries b
            WHERE b.tenant_id = o.tenant_id AND b.state = 'pending' AND b.busy_until > clock_timestamp())
        ORDER BY o.due_at LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    RETURNING d.tenant_id, d.id
$$;
REVOKE EXECUTE ON FUNCTION claim_batch_delivery(interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION claim_batch_delivery(interval) TO ml_app;
"""


def upgrade() -> None:
    """Apply."""
    op.execute(DELIVERIES)


def downgrade() -> None:
    """Revert."""
    op.execute("DROP FUNCTION claim_batch_delivery(interval)")
    op.execute("DROP TRIGGER batch_jobs_ended ON batch_jobs")
    op.execute("DROP FUNCTION queue_batch_delivery()")
    op.execute("DROP TABLE batch_deliveries")
    op.execute("ALTER TABLE batch_jobs DROP COLUMN webhook")
