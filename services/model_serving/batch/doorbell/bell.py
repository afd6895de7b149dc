"""The end of the doorbell where jobs are submitted."""

import asyncio

import structlog
from celery import Celery
from kombu.exceptions import KombuError, OperationalError

from services.model_serving.batch import metrics
from services.model_serving.batch.doorbell.celery_app import QUEUE, RING
from services.model_serving.batch.tracing import TRACEPARENT, current_traceparent

EXPIRES = 60
"""Seconds after which a message is pointless: workers have looked by themselves."""

log = structlog.get_logger(__name__)


class Bell:
    """Rings after a commit, beside the request: a job is found without it, only later.

    Args:
        celery: Sends the messages.
    """

    def __init__(self, celery: Celery) -> None:
        self._celery = celery
        self._ringing: asyncio.Task[None] | None = None
        self._again = False

    def ring(self) -> None:
        """Tell the workers that there is something to do; while one message is on its way, one more does for all."""
        if self._ringing is not None and not self._ringing.done():
            self._again = True
            return
        self._ringing = asyncio.create_task(self._ring(current_traceparent()), name="batch-ring")

    async def close(self) -> None:
        """Let a message on its way arrive."""
        if self._ringing is not None:
            await asyncio.wait({self._ringing})
        await asyncio.to_thread(self._celery.close)

    async def _ring(self, traceparent: str | None) -> None:
        while True:
            self._again = False
            try:
                await asyncio.to_thread(self._send, traceparent)
            except (KombuError, OperationalError, OSError) as error:
                metrics.RINGS_LOST.inc()
                log.warning("batch.ring_lost", cause=type(error).__name__)  # workers look by themselves
            if not self._again:
                return

    def _send(self, traceparent: str | None) -> None:
        headers = {} if traceparent is None else {TRACEPARENT: traceparent}
        self._celery.send_task(RING, queue=QUEUE, headers=headers, expires=EXPIRES, retry=False, ignore_result=True)
