"""Publishing an event with the change that it tells of, or not at all."""

from collections.abc import Sequence

from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from mlplatform.events import repository
from mlplatform.events.cloud_event import CloudEvent


async def enqueue(connection: AsyncConnection[DictRow], event: CloudEvent) -> None:
    """Write `event` to the outbox in the caller's transaction; it is published once that has committed.

    The event carries the trace context of the current span. Call `OutboxRelay.wake` after the commit to have it
    published at once instead of at the next poll.
    """
    await enqueue_all(connection, [event])


async def enqueue_all(connection: AsyncConnection[DictRow], events: Sequence[CloudEvent]) -> None:
    """Write several events in one statement; see `enqueue`."""
    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    if carrier:
        events = [event if event.traceparent else event.model_copy(update=carrier) for event in events]
    if events:
        await repository.insert(connection, events)
