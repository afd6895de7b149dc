"""Takes note of answers on the event loop, in microseconds, for the writer to log later."""

import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime

from services.model_serving.calls import Served
from services.model_serving.monitoring.metrics import LOG_DROPPED, LOG_QUEUE, LOG_QUEUE_CAPACITY
from services.model_serving.monitoring.policy import LogPolicies, LogPolicy

MOST_HELD_ROWS = 100_000
"""Rows of requests that are kept from being freed; what is logged of them is less."""


@dataclass(frozen=True, slots=True)
class Noted:
    """An answer that is to be logged."""

    served: Served
    at: datetime
    policy: LogPolicy

    @property
    def rows(self) -> int:
        """Rows of the request."""
        return self.served.given.rows if self.served.given is not None else 0


class PredictionObserver:
    """An observer of the dataplane that samples, limits and queues.

    Args:
        policies: What may be logged.
        queue_size: Requests that may wait.
        rows_per_second: Rows that may be logged per second, after a burst of as many as ten seconds allow.
        max_rows: Rows of one request that are logged.
    """

    def __init__(self, policies: LogPolicies, *, queue_size: int, rows_per_second: float, max_rows: int) -> None:
        self._policies = policies
        self._queue: deque[Noted] = deque()
        self._capacity = queue_size
        self._rate = rows_per_second
        self._burst = max(10 * rows_per_second, float(max_rows))
        self._max_rows = max_rows
        self._tokens = self._burst
        self._refilled = time.monotonic()
        self._held = 0
        LOG_QUEUE_CAPACITY.set(queue_size)
        LOG_QUEUE.set_function(lambda: len(self._queue))

    def observe(self, served: Served) -> None:
        """Queue an answer if it is in the sample; never waits."""
        policy = self._policies.of(served.identity.name)
        if not policy.takes(served.request_id):
            return
        noted = Noted(served, datetime.now(UTC), policy)
        if len(self._queue) >= self._capacity or self._held + noted.rows > MOST_HELD_ROWS:
            LOG_DROPPED.labels("queue_full").inc()
        elif not self._spend(min(max(noted.rows, 1), self._max_rows)):
            LOG_DROPPED.labels("rate_limit").inc()
        else:
            self._queue.append(noted)
            self._held += noted.rows

    def take(self, limit: int) -> list[Noted]:
        """Take the oldest ones off the queue."""
        taken = [self._queue.popleft() for _ in range(min(limit, len(self._queue)))]
        self._held -= sum(noted.rows for noted in taken)
        return taken

    def _spend(self, rows: int) -> bool:
        now = time.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._refilled) * self._rate)
        self._refilled = now
        if self._tokens < rows:
            return False
        self._tokens -= rows
        return True
