"""Writing and verifying the audit chain."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import psycopg
import structlog
from opentelemetry import trace
from prometheus_client import Counter
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from mlplatform.audit import repository
from mlplatform.audit.chain import Break, ChainCheck, Head
from mlplatform.audit.event import Actor, AuditEvent
from mlplatform.audit.throttle import WINDOW, DenialThrottle, Summary
from mlplatform.database.pool import Database
from mlplatform.errors.tree import DependencyUnavailable

DENIED = "access.denied"
# A caller that is turned away does not wait longer than this for its event.
WRITE_TIMEOUT = timedelta(seconds=2)
UNWRITTEN = Counter("ml_audit_unwritten", "Denials that are in the log and not in the audit table.")
SUPPRESSED = Counter("ml_audit_suppressed", "Denials that were counted and got no event of their own.")
logger = structlog.get_logger(__name__)


class AuditReadError(RuntimeError):
    """The database role sees a part of the chain only."""

    def __init__(self) -> None:
        super().__init__("only the owner reads the whole audit chain: set ML_DATABASE_OWNER_URL")


class AuditLog:
    """The audit chain in Postgres.

    Every append also logs its id and hash, so that where logs are shipped elsewhere, the head has a witness that no
    database administrator can change.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._throttle = DenialThrottle()
        self._sweep: asyncio.Task[None] | None = None

    async def record(
        self,
        *,
        action: str,
        resource: str,
        outcome: str = "done",
        principal: Actor | None = None,
        actor: str | None = None,
        tenant: str | None = None,
        detail: Mapping[str, object] | None = None,
        connection: AsyncConnection[DictRow] | None = None,
    ) -> None:
        """Append an event.

        Args:
            action: what was done, such as `model.promoted`.
            resource: what it was done to.
            outcome: how it ended.
            principal: who did it; gives actor and tenant unless those are given.
            actor: who did it, where there is no principal.
            tenant: whose data it touched; None when unknown or all.
            detail: the rest; keep secrets and payloads out.
            connection: the caller's transaction, which the event then commits or rolls back with. Appends wait for
                each other until commit, so make it one of the last statements.

        Raises:
            ValueError: neither `principal` nor `actor` is given.
            DependencyUnavailable: Postgres does not answer.
            psycopg.Error: the event was not written.
        """
        who = actor or (principal.subject if principal else None)
        if who is None:
            raise ValueError("an audit event needs a principal or an actor")
        event = AuditEvent(
            who,
            tenant or (principal.tenant if principal else None),
            action,
            resource,
            outcome,
            detail or {},
            _request_id(),
            _trace_id(),
        )
        if connection is not None:
            await self._append(connection, event)
            return
        async with self._database.transaction() as own:
            await self._append(own, event)

    async def denied(
        self, *, reason: str, resource: str, client: str, principal: Actor | None = None, status: int
    ) -> None:
        """Record that a caller was turned away; never raises, since the caller is turned away either way.

        Of one client and reason, the first denial in a minute is an event; the others are counted in one more.

        Args:
            reason: one word of a fixed set.
            resource: method and route template.
            client: network address, or a group of them.
            principal: the caller, when known.
            status: of the answer.
        """
        await self._summarise(self._throttle.elapsed())
        if not self._throttle.admit(client, reason):
            SUPPRESSED.inc()
            return
        if self._sweep is None or self._sweep.done():
            self._sweep = asyncio.create_task(self._keep_sweeping(), name="audit-denials")
        await self._try_to_record(
            principal=principal,
            actor=None if principal else "anonymous",
            resource=resource,
            detail={"reason": reason, "client": client, "status": status},
        )

    async def verify(self, witness: Head | None = None) -> tuple[Head, Break | None]:
        """Follow the whole chain; return its verified end and the first break, if there is one.

        Args:
            witness: a head noted earlier and kept elsewhere, which the chain must still hold.

        Raises:
            AuditReadError: the database role is not the owner.
            DependencyUnavailable: Postgres does not answer.
        """
        check = ChainCheck(witness)
        async with self._database.transaction() as connection:
            await repository.freeze(connection)
            if not await repository.sees_all(connection):
                raise AuditReadError
            expected = await repository.read_head(connection)
            async for page in repository.links(connection):
                broken = check.follow(page)
                if broken is not None:
                    return check.head, broken
        return check.head, check.finish(expected)

    async def newest(self, *, limit: int, action: str | None = None, tenant: str | None = None) -> list[dict[str, Any]]:
        """Return the newest events first.

        Raises:
            AuditReadError: the database role is not the owner.
            DependencyUnavailable: Postgres does not answer.
        """
        async with self._database.transaction() as connection:
            if not await repository.sees_all(connection):
                raise AuditReadError
            return await repository.newest(connection, limit=limit, action=action, tenant=tenant)

    async def close(self) -> None:
        """Write what was counted so far; call it before the database closes."""
        if self._sweep is not None:
            self._sweep.cancel()
            await asyncio.wait([self._sweep])
        await self._summarise(self._throttle.drain())

    async def _append(self, connection: AsyncConnection[DictRow], event: AuditEvent) -> None:
        head = await repository.append(connection, event)
        logger.info("audit.recorded", action=event.action, outcome=event.outcome, audit_id=head.id, head=str(head))

    async def _keep_sweeping(self) -> None:
        while self._throttle.is_busy:
            await asyncio.sleep(WINDOW.total_seconds())
            await self._summarise(self._throttle.elapsed())

    async def _summarise(self, summaries: list[Summary]) -> None:
        for summary in summaries:
            await self._try_to_record(
                actor="anonymous",
                resource="*",
                detail={"reason": summary.reason, "client": summary.client, "suppressed": summary.suppressed},
            )

    async def _try_to_record(
        self,
        *,
        resource: str,
        detail: Mapping[str, object],
        principal: Actor | None = None,
        actor: str | None = None,
    ) -> None:
        try:
            async with asyncio.timeout(WRITE_TIMEOUT.total_seconds()):
                await self.record(
                    action=DENIED, outcome="denied", principal=principal, actor=actor, resource=resource, detail=detail
                )
        except (psycopg.Error, DependencyUnavailable, TimeoutError) as error:
            UNWRITTEN.inc()
            logger.warning(
                "audit.unwritten",
                action=DENIED,
                actor=principal.subject if principal else actor,
                resource=resource,
                detail=detail,
                error=type(error).__name__,
            )


def _request_id() -> str | None:
    found = structlog.contextvars.get_contextvars().get("request_id")
    return found if isinstance(found, str) else None


def _trace_id() -> str | None:
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None
