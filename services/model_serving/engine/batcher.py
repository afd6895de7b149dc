"""The queue of one model: what waits while the model is busy is its next batch.

There is no time window. A request that finds the model idle is scored at once, so batching costs nothing when there is
little to do, and batches grow by themselves when there is much.

A call that takes less than a hop to a thread and back is made on the event loop: everything that arrived in the same
turn of the loop is one batch. All others are made in threads, which see to the next call themselves: when a service is
flooded, the loop is long in coming round.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from dataclasses import dataclass
from threading import Lock
from typing import TypeVar

from mlplatform.errors import DeadlineExceeded
from services.model_serving.engine.batch import Outcome, Request, score, score_together
from services.model_serving.engine.cost import WEIGHT, Cost
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.engine.metrics import Meters

Outcomes = TypeVar("Outcomes")

INLINE_SECONDS = 0.001
"""Longest call that the event loop makes itself."""
TURN_SECONDS = 0.005
"""How long it makes such calls before it looks after everything else."""


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
        self._lock = Lock()
        self._pace = 0.0
        self._ended = 0.0
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
        with self._lock:
            self._waiting.append(ticket)
        self._arrange()

    def hurry(self) -> None:
        """Make calls now, not in the next turn of the loop, unless as many run as may."""
        if self._cost.expect(1) <= INLINE_SECONDS:
            self._make_calls()

    def _arrange(self) -> None:
        if self._due or not self._waiting or self._busy >= self._slots:
            return
        if self._cost.expect(1) <= INLINE_SECONDS:
            self._due = True
            self._loop.call_soon(self._start)
        else:
            self._hire()
            self._pool.submit(self._go_on)

    def _hire(self) -> None:
        """Take a slot; only the loop does, which has seen that there is one."""
        with self._lock:
            self._busy += 1

    def _start(self) -> None:
        self._due = False
        self._make_calls()
        self._arrange()

    def _make_calls(self) -> None:
        until = time.perf_counter() + TURN_SECONDS
        while self._waiting and self._busy < self._slots and time.perf_counter() < until:
            batch, late = self._next()
            self._drop(late)
            if batch and not (self._is_quick(batch) and self._made_here(batch)):
                self._hire()
                self._pool.submit(self._work, batch)

    def _is_quick(self, batch: list[Ticket]) -> bool:
        rows = sum(ticket.request.given.rows for ticket in batch)
        return self._cost.expect(rows) <= INLINE_SECONDS and all(ticket.request.given.is_small for ticket in batch)

    def _made_here(self, batch: list[Ticket]) -> bool:
        """Make the call on the event loop; False when it failed and somebody must find out whose inputs did it."""
        begin = time.perf_counter()
        outcomes = _run(score_together, self._model, batch)
        if outcomes is None:
            return False
        self._finish(batch, outcomes, begin, time.perf_counter())
        return True

    def _next(self) -> tuple[list[Ticket], list[Ticket]]:
        """Take the requests of the next call, in order of arrival, and those before them that nobody waits for."""
        now = time.perf_counter()
        batch: list[Ticket] = []
        late: list[Ticket] = []
        rows = 0
        with self._lock:
            while self._waiting:
                ticket = self._waiting[0]
                if ticket.answer.done() or now > ticket.expires:
                    late.append(self._waiting.popleft())
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
        return batch, late

    def _work(self, batch: list[Ticket]) -> None:
        """Make a call in a thread, and see to the next one there: the loop may be long in coming round."""
        begin = time.perf_counter()
        outcomes = _run(score, self._model, batch)
        end = time.perf_counter()
        more = self._keep_slot(stay=end - begin > INLINE_SECONDS)  # first, for the loop looks for free slots
        self._loop.call_soon_threadsafe(self._come_back, batch, outcomes, begin, end)
        if more:
            self._pool.submit(self._go_on)  # behind the calls of other models

    def _go_on(self) -> None:
        batch, late = self._next()
        if late:
            self._loop.call_soon_threadsafe(self._drop, late)
        if batch:
            self._work(batch)
        elif self._keep_slot(stay=True):
            self._pool.submit(self._go_on)

    def _keep_slot(self, *, stay: bool) -> bool:
        """Give the slot back, unless a thread is to stay and there is more to do."""
        with self._lock:
            kept = stay and bool(self._waiting)
            self._busy -= not kept
        return kept

    def _come_back(self, batch: list[Ticket], outcomes: list[Outcome], begin: float, end: float) -> None:
        self._finish(batch, outcomes, begin, end)
        self._arrange()

    def _drop(self, late: list[Ticket]) -> None:
        for ticket in late:
            self._resolve(ticket, DeadlineExceeded("The time limit passed in the queue."))

    def _finish(self, batch: list[Ticket], outcomes: list[Outcome], begin: float, end: float) -> None:
        rows = sum(ticket.request.given.rows for ticket in batch)
        self._cost.learn(rows, end - begin)
        # While requests wait, all that passes between two ends is the price of a call. Calls that run at the same time
        # may end at the same time too, so it is at least what they take.
        spent = max(end - max(self._ended, batch[0].submitted), (end - begin) / self._slots)
        self._pace += WEIGHT * (spent / len(batch) - self._pace)
        self._ended = max(self._ended, end)
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
