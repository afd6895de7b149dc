"""Jobs that score many items with one version of a model.

A job is cut into chunks, which workers claim with a lease; a result belongs to a job, an item and a version, once. The
service role sees the rows of the tenant it acts for. Taking the next chunk looks at those of all tenants, which
``claim_batch_chunk`` does as the owner, and so do the functions that find ended leases and old jobs; they return whose
row it is, and all else is done as that tenant.
"""

from alembic import op

revision = "0016"
down_revision = "0014"
branch_labels = None
depends_on = None

JOBS = """
CREATE TABLE batch_jobs (
    tenant_id   text NOT NULL DEFAULT current_setting('ml.tenant'),
    id          uuid NOT NULL,
    number      bigint GENERATED ALWAYS AS IDENTITY,
    kind        text NOT NULL,
    model       jsonb NOT NULL,
    alias       text,
    params      json NOT NULL,
    state       text NOT NULL DEFAULT 'queued'
                CHECK (state IN ('queued', 'running', 'completed', 'failed', 'cancelled')),
    items       bigint NOT NULL CHECK (items > 0),
    succeeded   bigint NOT NULL DEFAULT 0 CHECK (succeeded >= 0),
    failed      bigint NOT NULL DEFAULT 0 CHECK (failed >= 0),
    cancelled   bigint NOT NULL DEFAULT 0 CHECK (cancelled >= 0),
    retries     integer NOT NULL DEFAULT 0,
    error       text,
    subject     text NOT NULL,
    request_id  text,
    traceparent text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    started_at  timestamptz,
    finished_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    CHECK ((finished_at IS NOT NULL) = (state IN ('completed', 'failed', 'cancelled'))),
    CHECK (succeeded + failed + cancelled <= items),
    CHECK (state IN ('queued', 'running') OR succeeded + failed + cancelled = items)
);
COMMENT ON COLUMN batch_jobs.number IS 'the order of lists, and their cursor';
COMMENT ON COLUMN batch_jobs.model IS 'the version that scores it, as it was when the job was submitted';
CREATE INDEX batch_jobs_newest ON batch_jobs (tenant_id, number);
CREATE INDEX batch_jobs_ended ON batch_jobs (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE batch_chunks (
    tenant_id   text NOT NULL DEFAULT current_setting('ml.tenant'),
    job_id      uuid NOT NULL,
    number      integer NOT NULL,
    state       text NOT NULL DEFAULT 'queued'
                CHECK (state IN ('queued', 'running', 'done', 'divided', 'cancelled')),
    first_item  bigint NOT NULL CHECK (first_item >= 0),
    item_count  integer NOT NULL CHECK (item_count > 0),
    items       bigint[] CHECK (cardinality(items) = item_count),
    input       bytea NOT NULL,
    claim       integer NOT NULL DEFAULT 0,
    deaths      integer NOT NULL DEFAULT 0,
    holder      text,
    lease_until timestamptz,
    not_before  timestamptz NOT NULL DEFAULT now(),
    queued_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, job_id, number),
    FOREIGN KEY (tenant_id, job_id) REFERENCES batch_jobs ON DELETE CASCADE,
    CHECK ((lease_until IS NOT NULL) = (state = 'running'))
);
COMMENT ON COLUMN batch_chunks.items IS 'numbers of the items; NULL when they follow each other from first_item';
COMMENT ON COLUMN batch_chunks.claim IS 'how often it was taken; the number of the last one is its holder''s';
COMMENT ON COLUMN batch_chunks.deaths IS 'how often its holder died over it';
CREATE INDEX batch_chunks_queued ON batch_chunks (tenant_id, queued_at, job_id, number) WHERE state = 'queued';
CREATE INDEX batch_chunks_running ON batch_chunks (tenant_id, lease_until) WHERE state = 'running';

CREATE TABLE batch_results (
    tenant_id text NOT NULL DEFAULT current_setting('ml.tenant'),
    job_id    uuid NOT NULL,
    item      bigint NOT NULL,
    version   text NOT NULL,
    state     text NOT NULL CHECK (state IN ('succeeded', 'failed')),
    output    json,
    error     json,
    PRIMARY KEY (tenant_id, job_id, item, version),
    FOREIGN KEY (tenant_id, job_id) REFERENCES batch_jobs ON DELETE CASCADE,
    CHECK ((output IS NOT NULL) = (state = 'succeeded')),
    CHECK ((error IS NOT NULL) = (state = 'failed'))
);
CREATE INDEX batch_results_failed ON batch_results (tenant_id, job_id, item) WHERE state = 'failed';

CREATE TABLE batch_tenants (
    tenant_id  text PRIMARY KEY,
    claimed_at timestamptz NOT NULL
);
COMMENT ON TABLE batch_tenants IS 'whose turn it is: the tenant that was served least recently';
"""

SECURITY = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY {table}_owner ON {table} TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY {table}_tenant ON {table} TO ml_app
    USING (tenant_id = current_setting('ml.tenant', true))
    WITH CHECK (tenant_id = current_setting('ml.tenant', true));
GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO ml_app;
"""
TENANT_TABLES = ("batch_jobs", "batch_chunks", "batch_results")

TURNS = """
ALTER TABLE batch_tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE batch_tenants FORCE ROW LEVEL SECURITY;
CREATE POLICY batch_tenants_owner ON batch_tenants TO CURRENT_USER USING (true) WITH CHECK (true);
"""

CLAIM = """
-- Takes a chunk for the tenant that has the fewest under way, and of these the one that was served least recently:
-- where few chunks run at a time, the oldest first would let all that one tenant has queued pass before another's.
CREATE FUNCTION claim_batch_chunk(worker text, lease interval)
RETURNS TABLE (of_tenant text, of_job uuid, of_chunk integer, of_claim integer)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    candidate text;
BEGIN
    FOR candidate IN
        WITH RECURSIVE waiting AS (
            (SELECT c.tenant_id FROM batch_chunks c WHERE c.state = 'queued' ORDER BY c.tenant_id LIMIT 1)
            UNION ALL
            SELECT (SELECT c.tenant_id FROM batch_chunks c
                    WHERE c.state = 'queued' AND c.tenant_id > w.tenant_id ORDER BY c.tenant_id LIMIT 1)
            FROM waiting w WHERE w.tenant_id IS NOT NULL
        )
        SELECT w.tenant_id FROM waiting w LEFT JOIN batch_tenants t USING (tenant_id)
        WHERE w.tenant_id IS NOT NULL
        ORDER BY (SELECT count(*) FROM batch_chunks r WHERE r.tenant_id = w.tenant_id AND r.state = 'running'),
            t.claimed_at NULLS FIRST, w.tenant_id
    LOOP
        UPDATE batch_chunks c
        SET state = 'running', claim = c.claim + 1, holder = worker, lease_until = clock_timestamp() + lease
        WHERE (c.tenant_id, c.job_id, c.number) = (
            SELECT o.tenant_id, o.job_id, o.number FROM batch_chunks o
            WHERE o.tenant_id = candidate AND o.state = 'queued' AND o.not_before <= clock_timestamp()
            ORDER BY o.queued_at, o.job_id, o.number LIMIT 1 FOR UPDATE SKIP LOCKED
        )
        RETURNING c.tenant_id, c.job_id, c.number, c.claim INTO of_tenant, of_job, of_chunk, of_claim;
        IF FOUND THEN
            INSERT INTO batch_tenants AS t (tenant_id, claimed_at) VALUES (candidate, clock_timestamp())
            ON CONFLICT (tenant_id) DO UPDATE SET claimed_at = excluded.claimed_at;
            RETURN NEXT;
            RETURN;
        END IF;
    END LOOP;
END
$$;
REVOKE EXECUTE ON FUNCTION claim_batch_chunk(text, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION claim_batch_chunk(text, interval) TO ml_app;

-- Names the chunks whose holders have let the lease end.
CREATE FUNCTION expired_batch_chunks(most integer)
RETURNS TABLE (tenant_id text, job_id uuid, number integer, claim integer)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT c.tenant_id, c.job_id, c.number, c.claim FROM batch_chunks c
    WHERE c.state = 'running' AND c.lease_until < clock_timestamp() ORDER BY c.lease_until LIMIT most
$$;
REVOKE EXECUTE ON FUNCTION expired_batch_chunks(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION expired_batch_chunks(integer) TO ml_app;

-- Names the jobs that ended longer ago than they are kept.
CREATE FUNCTION old_batch_jobs(retention interval, most integer) RETURNS TABLE (tenant_id text, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT j.tenant_id, j.id FROM batch_jobs j
    WHERE j.finished_at < clock_timestamp() - retention ORDER BY j.finished_at LIMIT most
$$;
REVOKE EXECUTE ON FUNCTION old_batch_jobs(interval, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION old_batch_jobs(interval, integer) TO ml_app;
"""


def upgrade() -> None:
    """Apply."""
    op.execute(JOBS)
    for table in TENANT_TABLES:
        op.execute(SECURITY.format(table=table))
    op.execute(TURNS)
    op.execute(CLAIM)


def downgrade() -> None:
    """Revert."""
    op.execute(
        "DROP FUNCTION old_batch_jobs(interval, integer), expired_batch_chunks(integer), "
        "claim_batch_chunk(text, interval)"
    )
    op.execute("DROP TABLE batch_tenants, batch_results, batch_chunks, batch_jobs")
