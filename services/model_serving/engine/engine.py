"""Predictions within bounds of time and number. Knows no HTTP and nothing of how a model got into memory."""

import asyncio
import math
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from weakref import WeakSet

from structlog import get_logger

from mlplatform.errors import DeadlineExceeded, Overloaded, PlatformError
from services.model_serving.engine.batch import Request
from services.model_serving.engine.batcher import Batcher, Ticket
from services.model_serving.engine.loaded_model import Lane, LoadedModel, Params
from services.model_serving.signature import ModelInput

PATIENCE = 0.5
"""Share of the time limit that a request may be expected to wait: the pace is an average, and calls take time too."""
HOLD_SHARE = 0.05
"""Share of the expected wait for which a refusal holds: a twentieth of the queue is answered meanwhile."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Prediction:
    """What came of a request.

    Attributes:
        answer: As the model gave it.
        queue_seconds: How long the request waited for the model.
    """

    answer: Any
    queue_seconds: float


class Engine:
    """Runs predictions.

    Args:
        threads: Calls of models at the same time.
        queue_size: Requests that may wait.
        timeout: How long a caller waits, queue included.
        max_batch_rows: Most rows of a batch of several callers.
        batching: Whether callers share calls of row-wise models.
    """

    def __init__(
        self, *, threads: int, queue_size: int, timeout: timedelta, max_batch_rows: int = 1024, batching: bool = True
    ) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="predict")
        self._threads = threads
        self._capacity = threads + queue_size
        self._timeout = timeout.total_seconds()
        self._max_batch_rows = max_batch_rows
        self._batching = batching
        self._pending = 0
        self._lanes: WeakSet[Batcher] = WeakSet()

    async def predict(self, model: LoadedModel, given: ModelInput, params: Params) -> Prediction:
        """Predict with a version; it stays in memory until its call is over, even when the caller is gone.

        Raises:
            InputsRefused: the model refuses the inputs.
            ModelFailedError: the model broke.
            Overloaded: the queue is full.
            DeadlineExceeded: it took too long.
        """
        lane = self.admit(model)
        loop = asyncio.get_running_loop()
        now = time.perf_counter()
        ticket = Ticket(
            Request(given, params),
            given.layout if params is None else None,
            loop.create_future(),
            copy_context(),
            now,
            now + self._timeout,
        )
        self._pending += 1
        lane.submit(ticket)
        timer = loop.call_later(self._timeout, self._expire, ticket)
        try:
            outcome = await ticket.answer
        finally:
            timer.cancel()
        if isinstance(outcome, PlatformError):
            raise outcome
        if isinstance(outcome, BaseException):
            identity = model.identity
            log.error("model_failed", model=identity.name, version=identity.version, exc_info=outcome)
            raise model.broke(outcome) from outcome
        return Prediction(outcome, ticket.waited)

    def admit(self, model: LoadedModel) -> Lane:
        """Return the queue of a model that has room for one more request.

        Asked before the inputs of a request are read too: a refusal has to cost less than an answer.

        Raises:
            Overloaded: the queue is full, or too long for the pace of the model.
        """
        lane = model.lane or self._lane(model)
        longest = PATIENCE * self._timeout
        if self._pending >= self._capacity or lane.expected_wait > longest:
            lane.hurry()  # a quick model answers those that wait in less time than refusals take
            if self._pending >= 2 * self._capacity or (
                self._pending >= self._capacity and lane.waiting >= self._share(lane)
            ):
                detail = "As many predictions wait as the queue holds; try again shortly."
                raise Overloaded(detail, lasts=HOLD_SHARE * lane.expected_wait)
            if (wait := lane.expected_wait) > longest:
                detail = "More predictions of this model wait than it answers within the time limit; try again later."
                raise Overloaded(
                    detail, headers={"Retry-After": str(math.ceil(wait - longest))}, lasts=HOLD_SHARE * wait
                )
        return lane

    async def close(self) -> None:
        """Let the calls that run finish; requests that wait are dropped."""
        await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)

    def _lane(self, model: LoadedModel) -> Batcher:
        model.lane = lane = Batcher(
            model,
            self._pool,
            slots=self._threads,
            max_rows=self._max_batch_rows,
            share=self._batching,
            leave=self._leave,
        )
        self._lanes.add(lane)
        return lane

    def _share(self, lane: Lane) -> int:
        """Return how many requests a model may let wait while the queue is full, so that no model shuts others out."""
        others = sum(other is not lane and other.waiting > 0 for other in self._lanes)
        return (self._capacity - self._threads) // (others + 1)

    def _leave(self) -> None:
        self._pending -= 1

    def _expire(self, ticket: Ticket) -> None:
        if not ticket.answer.done():
            detail = f"The prediction took longer than {self._timeout:g} s; send fewer rows."
            ticket.answer.set_result(DeadlineExceeded(detail))
