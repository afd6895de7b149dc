"""Scores copies of requests with shadows, beside the path of the request and never in its way."""

import asyncio
import time
from collections import deque
from concurrent.futures import Executor
from dataclasses import dataclass

from structlog import get_logger

from services.model_serving.calls import Served
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.loading.background import attempt
from services.model_serving.signature import ModelInput
from services.model_serving.traffic.assignment import BUCKETS, bucket
from services.model_serving.traffic.comparison import Comparison, compare
from services.model_serving.traffic.document import Shadow
from services.model_serving.traffic.epochs import shadow_label
from services.model_serving.traffic.metrics import SHADOW_WAITING, SHADOWED
from services.model_serving.traffic.plan import Plan
from services.model_serving.traffic.shadow_totals import Key, ShadowTotals
from services.model_serving.traffic.targets import Targets
from services.model_serving.traffic.translation import inputs_for
from services.model_serving.versions.store import LoadedModels

MOST_WAITING = 100
MOST_ROWS = 10_000
"""Rows that may wait together, which bounds the memory they take."""
STALE_SECONDS = 10.0
PRESSURE_SECONDS = 0.05
"""A caller that waited longer for a thread says that the machine has no time to spare for copies."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Copy:
    """A request to be scored again."""

    served: Served
    given: ModelInput
    shadow: Shadow
    key: Key
    since: float


class Shadows:
    """A bounded queue and the one thread behind it.

    Args:
        targets: knows which versions the shadows are.
        store: has them.
        executor: one thread, which nothing else uses.
        totals: where comparisons are counted.
    """

    def __init__(self, targets: Targets, store: LoadedModels, executor: Executor, totals: ShadowTotals) -> None:
        self._targets = targets
        self._store = store
        self._executor = executor
        self._totals = totals
        self._waiting: deque[Copy] = deque()
        self._rows = 0
        self._wake = asyncio.Event()
        self._stopped = False

    def offer(self, plan: Plan, served: Served) -> None:
        """Copy an answered request to the shadows of its model that draw it; never waits."""
        if served.error is not None or served.given is None or not served.given.rows:
            return
        for shadow in plan.document.shadow:
            drawn = bucket(plan.model, shadow_label(shadow.reference), served.request_id)
            if drawn < shadow.sample * BUCKETS:
                self._offer(plan, shadow, served, served.given)

    async def run(self) -> None:
        """Score what waits until stopped; what still waits then is dropped."""
        while not self._stopped:
            if not self._waiting:
                self._wake.clear()
                await self._wake.wait()
                continue
            copy = self._waiting.popleft()
            self._rows -= copy.given.rows
            SHADOW_WAITING.set(len(self._waiting))
            if time.monotonic() - copy.since > STALE_SECONDS:
                self._drop(copy.key, "stale")
            else:
                await self._score(copy)

    def stop(self) -> None:
        """Let `run` return soon."""
        self._stopped = True
        self._wake.set()

    def _offer(self, plan: Plan, shadow: Shadow, served: Served, given: ModelInput) -> None:
        version = self._targets.version(plan.model, shadow.reference)
        label = shadow_label(shadow.reference)
        key = plan.model, shadow.reference, plan.epochs.get(label, plan.revision), version or "none"
        if version is None or not self._targets.may_route(plan.model, shadow.reference):
            self._drop(key, "not_loaded")
        elif served.queue_seconds > PRESSURE_SECONDS:
            self._drop(key, "pressure")
        elif len(self._waiting) >= MOST_WAITING or self._rows + given.rows > MOST_ROWS:
            self._drop(key, "full")
        else:
            self._waiting.append(Copy(served, given, shadow, key, time.monotonic()))
            self._rows += given.rows
            SHADOW_WAITING.set(len(self._waiting))
            self._wake.set()

    def _drop(self, key: Key, why: str) -> None:
        self._totals.of(key).dropped += 1
        SHADOWED.labels(key[0], key[3], f"dropped_{why}").inc()

    async def _score(self, copy: Copy) -> None:
        model = self._store.find(copy.key[0], copy.key[3])
        if model is None:
            self._drop(copy.key, "not_loaded")
            return
        model.hold()
        try:
            result = await attempt(self._executor, lambda: _score(model, copy))
        finally:
            model.release()
        total = self._totals.of(copy.key)
        if isinstance(result, BaseException):
            total.requests += 1
            total.errors += 1
            log.info("shadow_failed", model=copy.key[0], version=copy.key[3], cause=type(result).__name__)
            SHADOWED.labels(copy.key[0], copy.key[3], "error").inc()
            return
        comparison, seconds = result
        total.answered(comparison, seconds, copy.served.seconds)
        SHADOWED.labels(copy.key[0], copy.key[3], "incomparable" if comparison is None else "compared").inc()


def _score(model: LoadedModel, copy: Copy) -> tuple[Comparison | None, float]:
    given = inputs_for(model, copy.served, copy.given)
    model.check_rows(given)
    started = time.perf_counter()
    answer = model.call(given, copy.served.params)
    seconds = time.perf_counter() - started
    return compare(copy.served.predictions, answer, copy.shadow.tolerance), seconds
