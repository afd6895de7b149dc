"""Events that wait for publication, and answers kept for repeated requests."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    # An event belongs to the tenant of the transaction that wrote it, or to the platform when that had none. Any
    # transaction may add its own; only one that says it is the relay sees, marks and prunes events, those of all
    # tenants. A request that reads the outbox by mistake therefore finds nothing. An event that Redis refuses waits
    # for its next_attempt_at, so that it holds back no other.
    op.execute("""
        CREATE TABLE outbox (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            event_id text NOT NULL UNIQUE,
            type text NOT NULL,
            tenant_id text DEFAULT nullif(current_setting('ml.tenant', true), ''),
            event jsonb NOT NULL,
            attempts integer NOT NULL DEFAULT 0,
            created_at timestamptz NOT NULL DEFAULT now(),
            next_attempt_at timestamptz NOT NULL DEFAULT now(),
            published_at timestamptz
        );
        CREATE INDEX outbox_pending ON outbox (id) WHERE published_at IS NULL;
        CREATE INDEX outbox_published ON outbox (published_at) WHERE published_at IS NOT NULL;

        ALTER TABLE outbox ENABLE ROW LEVEL SECURITY;
        ALTER TABLE outbox FORCE ROW LEVEL SECURITY;
        CREATE POLICY outbox_write ON outbox FOR INSERT
            WITH CHECK (tenant_id IS NULL OR tenant_id = current_setting('ml.tenant', true));
        CREATE POLICY outbox_relay ON outbox
            USING (current_setting('ml.relay', true) = 'on');
        CREATE POLICY outbox_owner ON outbox TO CURRENT_USER USING (true) WITH CHECK (true);
        GRANT SELECT, INSERT, DELETE ON outbox TO ml_app;
        GRANT UPDATE (attempts, next_attempt_at, published_at) ON outbox TO ml_app;
    """)
    op.execute("""
        CREATE TABLE idempotency_keys (
            tenant_id text NOT NULL DEFAULT current_setting('ml.tenant'),
            route text NOT NULL,
            key text NOT NULL,
            request_sha256 bytea NOT NULL,
            status smallint NOT NULL,
            response jsonb NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (tenant_id, route, key)
        );
        CREATE INDEX idempotency_keys_age ON idempotency_keys (tenant_id, created_at);

        ALTER TABLE idempotency_keys ENABLE ROW LEVEL SECURITY;
        ALTER TABLE idempotency_keys FORCE ROW LEVEL SECURITY;
        CREATE POLICY idempotency_keys_tenant ON idempotency_keys
            USING (tenant_id = current_setting('ml.tenant', true))
            WITH CHECK (tenant_id = current_setting('ml.tenant', true));
        GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_keys TO ml_app;
    """)
    # So that a service can tell in its health check that the schema is behind its code.
    op.execute("GRANT SELECT ON alembic_version TO ml_app")


def downgrade() -> None:
    """Revert."""
    op.execute("REVOKE SELECT ON alembic_version FROM ml_app")
    op.execute("DROP TABLE idempotency_keys")
    op.execute("DROP TABLE outbox")
