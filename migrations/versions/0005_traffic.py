"""Traffic: which versions of a model answer, what they did, and what experiments measured."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Models belong to the platform and not to a tenant, so there is no row-level security. A cleared document keeps its
# row, so that its revision goes on rising and nobody's compare-and-set can hit an older life of it. `epochs` says in
# which revision each part of the document began; what was measured is kept apart by it.
DOCUMENTS = """
CREATE TABLE model_traffic (
    model      text PRIMARY KEY CHECK (model <> ''),
    revision   bigint NOT NULL CHECK (revision > 0),
    document   jsonb,
    epochs     jsonb NOT NULL,
    action     text NOT NULL CHECK (action IN ('set', 'clear', 'abort')),
    actor      text NOT NULL CHECK (actor <> ''),
    reason     text,
    changed_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((document IS NULL) = (action = 'clear'))
);
CREATE TABLE model_traffic_history (
    model      text NOT NULL,
    revision   bigint NOT NULL,
    document   jsonb,
    epochs     jsonb NOT NULL,
    action     text NOT NULL,
    actor      text NOT NULL,
    reason     text,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (model, revision)
);
"""

# No row of the history can be missed or written by a service itself.
HISTORY = """
CREATE FUNCTION model_traffic_kept() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.revision <> OLD.revision + 1 THEN
        RAISE EXCEPTION 'revision % of % must be followed by the next one', OLD.revision, OLD.model
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    INSERT INTO model_traffic_history (model, revision, document, epochs, action, actor, reason, changed_at)
    VALUES (NEW.model, NEW.revision, NEW.document, NEW.epochs, NEW.action, NEW.actor, NEW.reason, NEW.changed_at);
    RETURN NULL;
END
$$;
CREATE TRIGGER model_traffic_kept AFTER INSERT OR UPDATE ON model_traffic
    FOR EACH ROW EXECUTE FUNCTION model_traffic_kept();
"""

# Each replica writes rows of its own, with totals and not increments: writing one again changes nothing, and the sum
# over the replicas is the truth. `latency` and `difference` are counts per bucket of a histogram.
MEASUREMENTS = """
CREATE TABLE traffic_windows (
    model    text NOT NULL,
    route    text NOT NULL,
    epoch    bigint NOT NULL,
    version  text NOT NULL,
    slot     bigint NOT NULL,
    replica  uuid NOT NULL,
    requests bigint NOT NULL,
    errors   bigint NOT NULL,
    refused  bigint NOT NULL,
    seconds  double precision NOT NULL,
    latency  bigint[] NOT NULL,
    PRIMARY KEY (model, slot, route, epoch, version, replica)
);
CREATE INDEX traffic_windows_slot ON traffic_windows (slot);
CREATE TABLE experiment_totals (
    model      text NOT NULL,
    experiment text NOT NULL,
    epoch      bigint NOT NULL,
    arm        text NOT NULL,
    version    text NOT NULL,
    replica    uuid NOT NULL,
    requests   bigint NOT NULL,
    errors     bigint NOT NULL,
    refused    bigint NOT NULL,
    seconds    double precision NOT NULL,
    latency    bigint[] NOT NULL,
    outcomes   bigint NOT NULL,
    mean       double precision NOT NULL,
    deviations double precision NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (model, experiment, epoch, arm, version, replica)
);
CREATE TABLE shadow_totals (
    model           text NOT NULL,
    target          text NOT NULL,
    epoch           bigint NOT NULL,
    version         text NOT NULL,
    replica         uuid NOT NULL,
    requests        bigint NOT NULL,
    errors          bigint NOT NULL,
    incomparable    bigint NOT NULL,
    dropped         bigint NOT NULL,
    compared        bigint NOT NULL,
    agreed          bigint NOT NULL,
    difference      bigint[] NOT NULL,
    shadow_seconds  double precision NOT NULL,
    primary_seconds double precision NOT NULL,
    shadow_latency  bigint[] NOT NULL,
    primary_latency bigint[] NOT NULL,
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (model, target, epoch, version, replica)
);
"""

RIGHTS = """
GRANT SELECT, INSERT, UPDATE ON model_traffic TO ml_app;
GRANT SELECT ON model_traffic_history TO ml_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON traffic_windows TO ml_app;
GRANT SELECT, INSERT, UPDATE ON experiment_totals, shadow_totals TO ml_app;
REVOKE EXECUTE ON FUNCTION model_traffic_kept() FROM PUBLIC;
"""


def upgrade() -> None:
    """Create the documents with their history, and what is measured."""
    op.execute(DOCUMENTS)
    op.execute(HISTORY)
    op.execute(MEASUREMENTS)
    op.execute(RIGHTS)


def downgrade() -> None:
    """Drop the documents with their history, and what was measured."""
    op.execute("DROP TABLE shadow_totals, experiment_totals, traffic_windows, model_traffic_history, model_traffic")
    op.execute("DROP FUNCTION model_traffic_kept()")
