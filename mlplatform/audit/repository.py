"""The SQL of the audit chain."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import DictRow, class_row
from psycopg.types.json import Jsonb

from mlplatform.audit.chain import Head, Link
from mlplatform.audit.event import AuditEvent, storable, storable_text

PAGE = 1000
# The text that is hashed, as the insert trigger of migration 0001 renders it; the two must stay the same.
CANONICAL = """
    jsonb_build_object(
        'id', id,
        'ts', to_char(ts AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'actor', actor, 'tenant', tenant_id, 'action', action, 'resource', resource,
        'outcome', outcome, 'detail', detail, 'request_id', request_id, 'trace_id', trace_id
    )::text
"""


async def append(connection: AsyncConnection[DictRow], event: AuditEvent) -> Head:
    """Insert the event and return the head that it became. Other appends wait until the transaction ends."""
    await connection.execute(
        """
        INSERT INTO audit_events (actor, tenant_id, action, resource, outcome, detail, request_id, trace_id)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            storable_text(event.actor),
            event.tenant,
            event.action,
            storable_text(event.resource),
            event.outcome,
            Jsonb(storable(event.detail)),
            None if event.request_id is None else storable_text(event.request_id),
            event.trace_id,
        ),
    )
    # RETURNING would need the right to read the row, and a service reads its own tenant's rows only.
    return await read_head(connection)


async def read_head(connection: AsyncConnection[DictRow]) -> Head:
    """Return the recorded end of the chain."""
    async with connection.cursor(row_factory=class_row(Head)) as cursor:
        await cursor.execute("SELECT id, hash FROM audit_head")
        head = await cursor.fetchone()
    # No event has this id, so a head that was removed never agrees with the chain.
    return head or Head(-1, b"")


async def freeze(connection: AsyncConnection[DictRow]) -> None:
    """Let the transaction see one moment; must be its first statement."""
    await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")


async def sees_all(connection: AsyncConnection[DictRow]) -> bool:
    """Whether the role reads every tenant's events, as the owner does."""
    cursor = await connection.execute(
        "SELECT pg_has_role(relowner, 'USAGE') AS owner FROM pg_class WHERE oid = 'audit_events'::regclass"
    )
    row = await cursor.fetchone()
    return row is not None and bool(row["owner"])


async def links(connection: AsyncConnection[DictRow]) -> AsyncIterator[Sequence[Link]]:
    """Yield the chain from its start, a page at a time."""
    last = -1
    while True:
        async with connection.cursor(row_factory=class_row(Link)) as cursor:
            await cursor.execute(
                f"SELECT id, {CANONICAL} AS canonical, prev_hash, hash"  # noqa: S608 - a constant of this module
                " FROM audit_events WHERE id > %s ORDER BY id LIMIT %s",
                (last, PAGE),
            )
            page = await cursor.fetchall()
        if not page:
            return
        yield page
        last = page[-1].id


async def newest(
    connection: AsyncConnection[DictRow], *, limit: int, action: str | None, tenant: str | None
) -> list[dict[str, Any]]:
    """Return the newest events first, of that action and tenant when given."""
    cursor = await connection.execute(
        """
        SELECT id, ts, actor, tenant_id AS tenant, action, resource, outcome, detail, request_id, trace_id
        FROM audit_events
        WHERE (%(action)s::text IS NULL OR action = %(action)s) AND (%(tenant)s::text IS NULL OR tenant_id = %(tenant)s)
        ORDER BY id DESC LIMIT %(limit)s
        """,
        {"action": action, "tenant": tenant, "limit": limit},
    )
    return await cursor.fetchall()
