"""The queue of one model: what waits while the model is busy is its next batch.

There is no time window. A request that finds the model idle is scored at once, so batching costs nothing when there is
little to do, and batches grow by themselves when there is much.

A call that takes less than a hop to a thread and back is made on the event loop: everything that arrived in the same
turn of the loop is one batch. All others are made in threads.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from dataclasses import dataclass
from typing import TypeVar

from mlplatform.errors import DeadlineExceeded
from services.model_serving.engine.batch import Outcome, Request, score, score_together
from services.model_serving.engine.cost import WEIGHT, Cost
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.engine.metrics import Meters

Outcomes = TypeVar("Outcomes")

INLINE_SECONDS = 0.001
"""Longest call that the event loop makes itself."""


@dataclass(slots=True, eq=False)
class Ticket:
    """A request that waits for its answer.

    Attributes:
        request: What to score.
        layout: Requests of equal layout may share a call; None shares with nobody.
        answer: Resolved with an answer or an error, which is never raised here: a model may raise SystemExit. Cancelled
            when the caller has left.
        context: Of the caller, for spans and logs of the model's own code.
        submitted: Seconds on the performance counter.
        expires: The same; nobody waits for the answer after that.
        waited: Seconds from submission to the call; set when the call begins.
    """

    request: Request
    layout: Hashable
    answer: "asyncio.Future[object]"
    context: Context
    submitted: float
    expires: float
    waited: float = 0.0


class Batcher:
    """Takes the requests for one version. Lives on the event loop.

    Args:
        model: The version.
        pool: Threads for long calls.
        slots: Calls at once.
        max_rows: Most rows of a batch of several callers.
        share: Whether callers share calls at all.
        leave: Called once for each request that was submitted, when it is over.
    """

    def __init__(
        self,
        model: LoadedModel,
        pool: ThreadPoolExecutor,
        *,
        slots: int,
        max_rows: int,
        share: bool,
        leave: Callable[[], None],
    ) -> None:
        self._model = model
        self._pool = pool
        self._slots = slots
        self._max_rows = max_rows
        self._share = share and model.row_wise
        self._leave = leave
        self._meters = Meters(model.identity.name, model.identity.version)
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Ticket] = deque()
        self._cost = Cost()
        self._pace = 0.0
        self._busy = 0
        self._due = False

    @property
    def waiting(self) -> int:
        """Requests that wait."""
        return len(self._waiting)

    @property
    def expected_wait(self) -> float:
        """Seconds until a request that comes now is answered, by the pace of the calls before."""
        return len(self._waiting) * self._pace

    def submit(self, ticket: Ticket) -> None:
        """Queue a request; its future is resolved when it is answered."""
        if not self._share:
            ticket.layout = None
        self._model.hold()
        self._waiting.append(ticket)
        self._arrange()

    def hurry(self) -> None:
        """Make the next call now, not in the next turn of the loop, unless as many run as may."""
        if self._waiting and self._busy < self._slots:
            self._start()

    def _arrange(self) -> None:
        if not self._due and self._waiting and self._busy < self._slots:
            self._due = True
            self._loop.call_soon(self._start)

    def _start(self) -> None:
        self._due = False
        if self._busy >= self._slots:  # a hurried call took the last slot
            return
        batch = self._next()
        if batch:
            rows = sum(ticket.request.given.rows for ticket in batch)
            small = all(ticket.request.given.is_small for ticket in batch)
            if not (small and self._cost.expect(rows) <= INLINE_SECONDS and self._made_here(batch)):
                self._busy += 1
                self._pool.submit(self._run_in_thread, batch)
        self._arrange()

    def _made_here(self, batch: list[Ticket]) -> bool:
        """Make the call on the event loop; False when it failed and somebody must find out whose inputs did it."""
        begin = time.perf_counter()
        outcomes = _run(score_together, self._model, batch)
        if outcomes is None:
            return False
        self._finish(batch, outcomes, begin, time.perf_counter())
        return True

    def _next(self) -> list[Ticket]:
        """Take the requests of the next call, in order of arrival; those that nobody waits for are dropped."""
        now = time.perf_counter()
        batch: list[Ticket] = []
        rows = 0
        while self._waiting:
            ticket = self._waiting[0]
            if ticket.answer.done() or now > ticket.expires:
                self._resolve(self._waiting.popleft(), DeadlineExceeded("The time limit passed in the queue."))
                continue
            if batch and (
                ticket.layout is None
                or ticket.layout != batch[0].layout
                or rows + ticket.request.given.rows > self._max_rows
            ):
                break
            ticket.waited = now - ticket.submitted
            batch.append(self._waiting.popleft())
            rows += ticket.request.given.rows
        return batch

    def _run_in_thread(self, batch: list[Ticket]) -> None:
        begin = time.perf_counter()
        outcomes = _run(score, self._model, batch)
        self._loop.call_soon_threadsafe(self._come_back, batch, outcomes, begin, time.perf_counter())

    def _come_back(self, batch: list[Ticket], outcomes: list[Outcome], begin: float, end: float) -> None:
        self._busy -= 1
        self._finish(batch, outcomes, begin, end)
        self._arrange()

    def _finish(self, batch: list[Ticket], outcomes: list[Outcome], begin: float, end: float) -> None:
        rows = sum(ticket.request.given.rows for ticket in batch)
        self._cost.learn(rows, end - begin)
        self._pace += WEIGHT * ((end - begin) / len(batch) / self._slots - self._pace)
        self._meters.called(rows, len(batch), end - begin)
        for ticket, outcome in zip(batch, outcomes, strict=True):
            self._meters.waited(ticket.waited)
            self._resolve(ticket, outcome)

    def _resolve(self, ticket: Ticket, outcome: Outcome) -> None:
        if not ticket.answer.done():
            ticket.answer.set_result(outcome)
        self._model.release()
        self._leave()


def _run(
    how: Callable[[LoadedModel, Sequence[Request]], Outcomes], model: LoadedModel, batch: Sequence[Ticket]
) -> Outcomes:
    """Score in the context of the first caller."""
    return batch[0].context.run(how, model, [ticket.request for ticket in batch])
