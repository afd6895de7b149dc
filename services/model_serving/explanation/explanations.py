"""Explanations on threads of their own, so that predictions never wait for them. Knows no HTTP."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
from structlog import get_logger

from mlplatform.errors import DeadlineExceeded, FieldError, Overloaded, PlatformError
from mlplatform.monitoring.profile import Profile
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.errors import InvalidInputs, NotExplainable
from services.model_serving.explanation.deadline import Deadline
from services.model_serving.explanation.explainers import make_explainer
from services.model_serving.explanation.explanation import Explainer, Explanation, Table
from services.model_serving.metrics import EXPLANATION_DURATION
from services.model_serving.signature import ModelInput
from services.model_serving.spans import model_span

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ExplanationLimits:
    """How much is explained.

    Attributes:
        rows: of one request.
        columns: of one request, times the outputs that are explained.
        threads: explanations at the same time.
        queue_size: explanations that may wait for a thread.
        timeout: how long a caller waits.
    """

    rows: int
    columns: int
    threads: int
    queue_size: int
    timeout: timedelta


class Explanations:
    """Explains predictions; what explains a version is made when it is first asked for.

    Args:
        limits: how much.
        profile_of: looks up the reference profile of a model's version; blocks.
    """

    def __init__(self, limits: ExplanationLimits, profile_of: Callable[[str, str], Profile | None]) -> None:
        self._limits = limits
        self._profile_of = profile_of
        self._pool = ThreadPoolExecutor(limits.threads, thread_name_prefix="explain")
        self._seconds = limits.timeout.total_seconds()
        self._pending = 0
        self._explainers: WeakKeyDictionary[LoadedModel, Explainer] = WeakKeyDictionary()
        self._making = threading.Lock()

    def check(self, model: LoadedModel, given: ModelInput) -> None:
        """Refuse what would be refused anyway, before it is predicted.

        Raises:
            InvalidInputs: there is nothing to explain, or too much.
            NotExplainable: the model is of no kind that is explained.
            Overloaded: the queue is full.
        """
        if not given.rows:
            raise _refuse("has no rows; there is nothing to explain")
        if given.rows > self._limits.rows:
            raise _refuse(f"has {given.rows} rows; at most {self._limits.rows} are explained at once")
        if model.raw is None:
            raise NotExplainable("is of another kind")
        if self._pending >= self._limits.threads + self._limits.queue_size:
            raise Overloaded("As many explanations wait as their queue holds; try again shortly, or only predict.")

    async def explain(self, model: LoadedModel, given: ModelInput) -> Explanation:
        """Explain the predictions of a version; it stays in memory until that is over, even when the caller is gone.

        Raises:
            InvalidInputs, NotExplainable, Overloaded: as `check` does, or for what only the work itself shows.
            ModelFailedError: the model broke.
            DeadlineExceeded: it took too long.
            RegistryUnavailable: MLflow is down, and it was to be asked for the profile of the training data.
        """
        self.check(model, given)
        with model_span("explain", model.identity):
            return await self._explain(model, given)

    async def close(self) -> None:
        """Let the explanations that run finish; those that wait are dropped."""
        await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)

    async def _explain(self, model: LoadedModel, given: ModelInput) -> Explanation:
        deadline = Deadline.after(self._seconds)
        waiter = asyncio.wrap_future(self._submit(model, given, deadline))
        try:
            done, _ = await asyncio.wait({waiter}, timeout=self._seconds)
        finally:
            waiter.cancel()
        if not done:
            raise DeadlineExceeded(deadline.message)
        error = waiter.exception()
        if error is None:
            return waiter.result()
        if isinstance(error, PlatformError):
            raise error
        log.error("explanation_failed", model=model.identity.name, version=model.identity.version, exc_info=error)
        raise model.broke(error) from error

    def _submit(self, model: LoadedModel, given: ModelInput, deadline: Deadline) -> "Future[Explanation]":
        loop = asyncio.get_running_loop()
        self._pending += 1
        model.hold()
        work = self._pool.submit(self._work, model, given, deadline)

        def over() -> None:
            self._pending -= 1
            model.release()

        work.add_done_callback(lambda _: loop.call_soon_threadsafe(over))
        return work

    def _work(self, model: LoadedModel, given: ModelInput, deadline: Deadline) -> Explanation:
        deadline.check()
        begin = time.perf_counter()
        table = _table(given)
        explainer = self._explainer(model)
        _check_columns(table, explainer.outputs, self._limits.columns)
        explanation = explainer.explain(table, deadline)
        EXPLANATION_DURATION.labels(model.identity.name, model.identity.version).observe(time.perf_counter() - begin)
        return explanation

    def _explainer(self, model: LoadedModel) -> Explainer:
        with self._making:
            found = self._explainers.get(model)
            if found is None:
                name, version = model.identity.name, model.identity.version
                found = make_explainer(model, lambda: self._profile_of(name, version))
                self._explainers[model] = found
            return found


def _table(given: ModelInput) -> Table:
    data = given.data
    if isinstance(data, pd.DataFrame) or (isinstance(data, np.ndarray) and data.ndim == 2):  # noqa: PLR2004 (a table)
        return data
    raise NotExplainable("does not take a table")


def _check_columns(table: Table, outputs: int, limit: int) -> None:
    columns = table.shape[1]
    if columns * outputs > limit:
        of = f"{columns} columns" if outputs == 1 else f"{columns} columns for each of {outputs} outputs"
        raise _refuse(f"has {of}; at most {limit} are explained at once")


def _refuse(message: str) -> InvalidInputs:
    return InvalidInputs([FieldError("body.inputs", message)])
