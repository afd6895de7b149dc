"""The progress of a job as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import orjson
import psycopg

from mlplatform.errors import PlatformError
from services.model_serving.batch.jobs.describing import describe
from services.model_serving.batch.jobs.job import Job
from services.model_serving.batch.jobs.jobs import Jobs

SOONEST, LATEST = 0.02, 0.25
"""Seconds between two looks at the job."""
SHARE = 0.04
"""Of the age of the job, which is as long as the next look is away."""
KEEP_ALIVE = 15.0
LONGEST = 300.0
"""Seconds after which a stream ends, for the browser to open another one; with a credential that is valid then."""
RETRY = b"retry: 1000\n\n"
COMMENT = b": the job goes on\n\n"
GONE = b"event: end\ndata: null\n\n"


async def progress(jobs: Jobs, job: Job, is_over: Callable[[], bool]) -> AsyncIterator[bytes]:
    """Send the job now and at each change, until it has ended; each event holds all there is to know.

    Args:
        jobs: Finds it.
        job: As it is now.
        is_over: Whether the stream has to end before the job does.
    """
    loop = asyncio.get_running_loop()
    begin = spoken = loop.time()
    yield RETRY
    yield event(job)
    while not (job.has_ended or is_over() or loop.time() - begin > LONGEST):
        await asyncio.sleep(pause((datetime.now(UTC) - job.created_at).total_seconds()))
        try:
            now = await jobs.look(job.tenant_id, job.id)
        except (psycopg.Error, PlatformError):
            continue  # Postgres is away; the stream goes on when it is back
        if now is None:
            yield GONE
            return
        if now != job:
            job = now
            yield event(job)
            spoken = loop.time()
        elif loop.time() - spoken > KEEP_ALIVE:
            yield COMMENT
            spoken = loop.time()


def pause(age: float) -> float:
    """Return how long to wait before the next look: the end of a short job is told soon, and long ones cost little.

    Args:
        age: Of the job, in seconds.
    """
    return min(max(SOONEST, SHARE * age), LATEST)


def event(job: Job) -> bytes:
    """Write a job as an event."""
    name = "end" if job.has_ended else "progress"
    return f"event: {name}\ndata: ".encode() + orjson.dumps(describe(job)) + b"\n\n"
