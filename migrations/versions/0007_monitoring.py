"""Logged predictions by day, the labels that come in for them, and what was found about each window of time.

Rights, and why:

* ``prediction_log``: the service role reads the rows of the tenant it acts for. It writes with COPY, which Postgres
  refuses where row-level security applies, so it may INSERT into the partition of a day, and may not read there.
* Partitions belong to the owner. ``create_prediction_partitions`` and ``drop_prediction_partitions`` run as the owner
  and check what they are asked; the second keeps one whole day at least.
* A transaction that says it is the monitor (``ml.monitor``) reads the rows of every tenant, to compare what a model is
  asked with what it was trained on. What it stores are counts by bin of the training data.
* ``prediction_feedback``: the service role sees and writes the rows of the tenant it acts for.
* ``monitoring_windows``, ``monitoring_tasks``: models belong to the platform and not to a tenant.
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

LOG = """
CREATE TABLE prediction_log (
    tenant_id   text NOT NULL,
    request_id  text NOT NULL,
    at          timestamptz NOT NULL,
    model       text NOT NULL,
    version     text NOT NULL,
    route       text NOT NULL,
    rows        integer NOT NULL,
    positions   integer[],
    whole       boolean NOT NULL,
    inputs      jsonb,
    predictions jsonb,
    error       text,
    latency_ms  real NOT NULL,
    queue_ms    real NOT NULL
) PARTITION BY RANGE (at);
CREATE INDEX prediction_log_request ON prediction_log (tenant_id, request_id);
CREATE INDEX prediction_log_version ON prediction_log (model, version, at);
COMMENT ON COLUMN prediction_log.positions IS 'rows of the request that were kept; NULL when all were';
COMMENT ON COLUMN prediction_log.whole IS 'the answer is one for all rows, as a forecast from a history is';

ALTER TABLE prediction_log ENABLE ROW LEVEL SECURITY;
ALTER TABLE prediction_log FORCE ROW LEVEL SECURITY;
CREATE POLICY prediction_log_owner ON prediction_log TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY prediction_log_tenant ON prediction_log FOR SELECT TO ml_app
    USING (tenant_id = current_setting('ml.tenant', true));
CREATE POLICY prediction_log_monitor ON prediction_log FOR SELECT TO ml_app
    USING (current_setting('ml.monitor', true) = 'on');
GRANT SELECT ON prediction_log TO ml_app;
"""

# A table is made apart and attached, since CREATE TABLE … PARTITION OF would lock out every reader and writer.
PARTITIONS = """
CREATE FUNCTION create_prediction_partitions(days_ahead integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '3s'
SET timezone = 'UTC'
AS $$
DECLARE
    today date := current_date;
    day date;
    name text;
    made integer := 0;
BEGIN
    IF days_ahead NOT BETWEEN 0 AND 31 THEN
        RAISE EXCEPTION 'days_ahead must be from 0 to 31' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(7_407_001);
    FOR day IN SELECT generate_series(today - 1, today + days_ahead, interval '1 day')::date LOOP
        name := 'prediction_log_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass('public.' || name) IS NOT NULL;
        EXECUTE format('CREATE TABLE public.%I (LIKE public.prediction_log INCLUDING DEFAULTS,
            CONSTRAINT of_day CHECK (at >= %L AND at < %L))',
            name, day::timestamptz, (day + 1)::timestamptz);
        EXECUTE format('GRANT INSERT ON public.%I TO ml_app', name);
        EXECUTE format('ALTER TABLE public.prediction_log ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
            name, day::timestamptz, (day + 1)::timestamptz);
        EXECUTE format('ALTER TABLE public.%I DROP CONSTRAINT of_day', name);
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;

CREATE FUNCTION drop_prediction_partitions(keep_days integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '3s'
SET timezone = 'UTC'
AS $$
DECLARE
    name text;
    dropped integer := 0;
BEGIN
    IF keep_days < 1 THEN
        RAISE EXCEPTION 'keep_days must be 1 or more' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(7_407_001);
    FOR name IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'public.prediction_log'::regclass
          AND c.relname < 'prediction_log_' || to_char(current_date - keep_days, 'YYYYMMDD')
        ORDER BY c.relname
    LOOP
        EXECUTE format('DROP TABLE public.%I', name);
        dropped := dropped + 1;
    END LOOP;
    DELETE FROM public.prediction_feedback WHERE predicted_at < current_date - keep_days;
    RETURN dropped;
END
$$;
"""

FEEDBACK = """
CREATE TABLE prediction_feedback (
    tenant_id    text NOT NULL DEFAULT current_setting('ml.tenant'),
    request_id   text NOT NULL,
    model        text NOT NULL,
    position     integer NOT NULL CHECK (position >= 0),
    label        jsonb,
    value        double precision,
    valued_at    timestamptz,
    predicted_at timestamptz NOT NULL,
    received_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, request_id, model, position),
    CHECK (label IS NOT NULL OR value IS NOT NULL)
);
CREATE INDEX prediction_feedback_model ON prediction_feedback (model, received_at);
CREATE INDEX prediction_feedback_age ON prediction_feedback (predicted_at);

ALTER TABLE prediction_feedback ENABLE ROW LEVEL SECURITY;
ALTER TABLE prediction_feedback FORCE ROW LEVEL SECURITY;
CREATE POLICY prediction_feedback_owner ON prediction_feedback TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY prediction_feedback_tenant ON prediction_feedback TO ml_app
    USING (tenant_id = current_setting('ml.tenant', true))
    WITH CHECK (tenant_id = current_setting('ml.tenant', true));
CREATE POLICY prediction_feedback_monitor ON prediction_feedback FOR SELECT TO ml_app
    USING (current_setting('ml.monitor', true) = 'on');
GRANT SELECT, INSERT ON prediction_feedback TO ml_app;
GRANT UPDATE (label, value, valued_at, received_at) ON prediction_feedback TO ml_app;
"""

WINDOWS = """
CREATE TABLE monitoring_windows (
    model      text NOT NULL,
    version    text NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at   timestamptz NOT NULL,
    rows       integer NOT NULL,
    alarm      boolean NOT NULL,
    findings   jsonb NOT NULL,
    PRIMARY KEY (model, version, ended_at)
);
GRANT SELECT, INSERT, DELETE ON monitoring_windows TO ml_app;

-- Whoever moves the date of a task has it: one replica at a time, and another one when that dies.
CREATE TABLE monitoring_tasks (
    name   text PRIMARY KEY,
    due_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO monitoring_tasks (name) VALUES ('partitions'), ('windows');
GRANT SELECT ON monitoring_tasks TO ml_app;
GRANT UPDATE (due_at) ON monitoring_tasks TO ml_app;
"""

RIGHTS = """
REVOKE ALL ON FUNCTION create_prediction_partitions(integer), drop_prediction_partitions(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION create_prediction_partitions(integer), drop_prediction_partitions(integer) TO ml_app;
SELECT create_prediction_partitions(3);
"""


def upgrade() -> None:
    """Create the tables, the first partitions, and the functions that the service role calls."""
    for statements in (LOG, FEEDBACK, PARTITIONS, WINDOWS, RIGHTS):
        op.execute(statements)


def downgrade() -> None:
    """Drop them with every logged prediction and every label."""
    op.execute("DROP FUNCTION create_prediction_partitions(integer), drop_prediction_partitions(integer)")
    op.execute("DROP TABLE prediction_log, prediction_feedback, monitoring_windows, monitoring_tasks")
