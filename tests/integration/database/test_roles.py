import psycopg

# A tenant's own name is no secret of another tenant, and sweepers loop over all tenants.
OPEN = {"tenants"}

CREATE_SPACE = "SELECT create_embedding_space('embedder', '1', repeat('0', 64), 3)"


class TestRowLevelSecurity:
    def test_holds_every_table_of_tenants_even_against_its_owner(self, owner: psycopg.Connection) -> None:
        owner.execute(CREATE_SPACE)
        tables = owner.execute(
            """
            SELECT relname, relrowsecurity AND relforcerowsecurity FROM pg_class c
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
            WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace
            """
        ).fetchall()
        held = {name for name, forced in tables if forced}
        assert {name for name, _ in tables} - held == OPEN
        assert {"api_keys", "audit_events", "outbox", "idempotency_keys", "search_items", "embeddings_1"} <= held

    def test_partitions_which_policies_do_not_hold_are_read_by_no_service(self, owner: psycopg.Connection) -> None:
        readable = owner.execute(
            """
            SELECT relname FROM pg_class c WHERE c.relispartition AND c.relkind = 'r'
                AND (has_table_privilege('ml_app', c.oid, 'SELECT') OR has_table_privilege('ml_app', c.oid, 'UPDATE')
                    OR has_table_privilege('ml_app', c.oid, 'DELETE'))
            """
        ).fetchall()
        assert readable == []

    def test_every_held_table_has_a_policy(self, owner: psycopg.Connection) -> None:
        owner.execute(CREATE_SPACE)
        without = owner.execute(
            """
            SELECT relname FROM pg_class c WHERE relrowsecurity AND relnamespace = 'public'::regnamespace
                AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid)
            """
        ).fetchall()
        assert without == []


class TestServiceRole:
    def test_cannot_escape_row_level_security(self, owner: psycopg.Connection) -> None:
        rights = owner.execute(
            """
            SELECT rolsuper, rolbypassrls, rolcreaterole, pg_has_role('ml_app', 'ml_owner', 'MEMBER')
            FROM pg_roles WHERE rolname = 'ml_app'
            """
        ).fetchone()
        assert rights == (False, False, False, False)

    def test_owns_nothing(self, owner: psycopg.Connection) -> None:
        owned = owner.execute(
            """
            SELECT relname::text FROM pg_class WHERE relowner = 'ml_app'::regrole
            UNION ALL SELECT proname::text FROM pg_proc WHERE proowner = 'ml_app'::regrole
            """
        ).fetchall()
        assert owned == []
