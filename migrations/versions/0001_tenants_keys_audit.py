"""Tenants, API keys, and the append-only audit chain.

Reading rights, and why:

* ``api_keys``: a key is looked up before its tenant is known, so the service role gets no right on the table at all,
  only two functions that see one row by its prefix. A leaked database password of a service lists no keys and makes
  none.
* ``audit_events``: one chain over all tenants, so that a removed row is found whoever it belonged to. The service role
  inserts any tenant's row, reads the rows of the tenant it acts for, and changes none. Whole-chain reading
  (``mlp audit``) is the owner's.
* ``audit_head``: the last id and hash, kept by the insert trigger, so that a truncated tail is found.
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ROLE = """
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ml_app') THEN
        CREATE ROLE ml_app NOLOGIN;
    END IF;
END
$$;
GRANT USAGE ON SCHEMA public TO ml_app;
"""

TENANTS = """
CREATE TABLE tenants (
    tenant_id  text PRIMARY KEY CHECK (tenant_id ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
    created_at timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT ON tenants TO ml_app;
"""

API_KEYS = """
CREATE TABLE api_keys (
    prefix       text PRIMARY KEY,
    secret_hmac  bytea NOT NULL CHECK (octet_length(secret_hmac) = 32),
    subject      text NOT NULL,
    name         text NOT NULL,
    tenant_id    text NOT NULL REFERENCES tenants,
    roles        text[] NOT NULL CHECK (cardinality(roles) > 0),
    created_at   timestamptz NOT NULL DEFAULT now(),
    created_by   text NOT NULL,
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz,
    replaced_by  text REFERENCES api_keys
);
CREATE INDEX api_keys_tenant ON api_keys (tenant_id, created_at);
ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY api_keys_owner ON api_keys TO CURRENT_USER USING (true) WITH CHECK (true);

CREATE FUNCTION find_api_key(wanted text) RETURNS SETOF api_keys
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$ SELECT * FROM api_keys WHERE prefix = wanted $$;

CREATE FUNCTION touch_api_key(wanted text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
    UPDATE api_keys SET last_used_at = now()
    WHERE prefix = wanted AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
$$;

REVOKE ALL ON FUNCTION find_api_key(text), touch_api_key(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_api_key(text), touch_api_key(text) TO ml_app;
"""

AUDIT = """
CREATE TABLE audit_events (
    id         bigint PRIMARY KEY,
    ts         timestamptz NOT NULL,
    actor      text NOT NULL,
    tenant_id  text,
    action     text NOT NULL,
    resource   text NOT NULL,
    outcome    text NOT NULL,
    detail     jsonb NOT NULL DEFAULT '{}',
    request_id text,
    trace_id   text,
    prev_hash  bytea NOT NULL,
    hash       bytea NOT NULL
);
CREATE INDEX audit_events_action ON audit_events (action, id);

CREATE TABLE audit_head (
    one  boolean PRIMARY KEY DEFAULT true CHECK (one),
    id   bigint NOT NULL,
    hash bytea NOT NULL
);
INSERT INTO audit_head (id, hash) VALUES (0, decode(repeat('00', 32), 'hex'));

-- The chain is computed here and not by the caller: a caller that may only insert can then neither choose an id, a
-- time or a hash, nor break the chain. The update locks the head row until commit, which serialises appends.
CREATE FUNCTION audit_append() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    SELECT id + 1, hash INTO STRICT NEW.id, NEW.prev_hash FROM audit_head FOR UPDATE;
    NEW.ts := clock_timestamp();
    NEW.hash := sha256(NEW.prev_hash || convert_to(jsonb_build_object(
        'id', NEW.id,
        'ts', to_char(NEW.ts AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'actor', NEW.actor, 'tenant', NEW.tenant_id, 'action', NEW.action, 'resource', NEW.resource,
        'outcome', NEW.outcome, 'detail', NEW.detail, 'request_id', NEW.request_id, 'trace_id', NEW.trace_id
    )::text, 'UTF8'));
    UPDATE audit_head SET id = NEW.id, hash = NEW.hash;
    RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION audit_append() FROM PUBLIC;

CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION 'audit_events is append-only: % is refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE TRIGGER audit_append BEFORE INSERT ON audit_events FOR EACH ROW EXECUTE FUNCTION audit_append();
CREATE TRIGGER audit_refuse_change BEFORE UPDATE OR DELETE ON audit_events
    FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_refuse_truncate BEFORE TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

ALTER TABLE audit_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_events FORCE ROW LEVEL SECURITY;
CREATE POLICY audit_events_owner ON audit_events TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY audit_events_insert ON audit_events FOR INSERT TO ml_app WITH CHECK (true);
CREATE POLICY audit_events_select ON audit_events FOR SELECT TO ml_app
    USING (tenant_id = current_setting('ml.tenant', true));
GRANT SELECT, INSERT ON audit_events TO ml_app;
GRANT SELECT ON audit_head TO ml_app;
"""


def upgrade() -> None:
    """Create the tables, their functions and the rights of the service role."""
    for statements in (ROLE, TENANTS, API_KEYS, AUDIT):
        op.execute(statements)


def downgrade() -> None:
    """Drop them; the role stays, since other databases of the cluster may use it."""
    op.execute("DROP TABLE audit_events, audit_head, api_keys CASCADE")
    op.execute("DROP FUNCTION audit_append(), audit_refuse()")
    op.execute("DROP FUNCTION IF EXISTS find_api_key(text), touch_api_key(text)")
    op.execute("DROP TABLE tenants")
    op.execute("REVOKE USAGE ON SCHEMA public FROM ml_app")
