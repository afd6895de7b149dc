"""Predictions on a bounded number of threads. Knows no HTTP and nothing of how a model got into memory."""

import asyncio
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from datetime import timedelta

from opentelemetry import trace
from structlog import get_logger

from mlplatform.errors import DeadlineExceeded, Overloaded, PlatformError
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.metrics import INFERENCE_DURATION, QUEUE_WAIT

log = get_logger(__name__)
tracer = trace.get_tracer(__name__)


class Engine:
    """Runs predictions.

    Args:
        threads: predictions at the same time.
        queue_size: predictions that may wait for a thread.
        timeout: how long a caller waits, queue included.
    """

    def __init__(self, *, threads: int, queue_size: int, timeout: timedelta) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="predict")
        self._capacity = threads + queue_size
        self._timeout = timeout.total_seconds()
        self._pending = 0

    async def predict(self, model: LoadedModel, inputs: object, params: dict[str, object], *, route: str) -> object:
        """Predict with a version; it stays in memory until its thread is done, even when the caller is gone.

        Raises:
            InvalidInputs, InputsRefused: what was sent is wrong.
            ModelFailedError: the model broke.
            Overloaded: the queue is full.
            DeadlineExceeded: it took too long.
        """
        if self._pending >= self._capacity:
            raise Overloaded("As many predictions wait as the queue holds; try again shortly.")
        name, version = model.identity.name, model.identity.version
        with tracer.start_as_current_span("predict", attributes={"ml.model": name, "ml.version": version}):
            waiter = asyncio.wrap_future(self._submit(model, inputs, params, route))
            try:
                done, _ = await asyncio.wait({waiter}, timeout=self._timeout)
            finally:
                waiter.cancel()
        if not done:
            raise DeadlineExceeded(f"The prediction took longer than {self._timeout:g} s; send fewer rows.")
        error = waiter.exception()
        if error is None:
            return waiter.result()
        if isinstance(error, PlatformError):
            raise error
        log.error("model_failed", model=name, version=version, exc_info=error)
        raise model.broke(error) from error

    async def close(self) -> None:
        """Let the predictions that run finish; those that wait are dropped."""
        await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)

    def _submit(self, model: LoadedModel, inputs: object, params: dict[str, object], route: str) -> "Future[object]":
        loop = asyncio.get_running_loop()
        self._pending += 1
        model.hold()
        submitted = time.perf_counter()
        work = self._pool.submit(copy_context().run, _score, model, inputs, params, route, submitted)

        def over() -> None:
            self._pending -= 1
            model.release()

        work.add_done_callback(lambda _: loop.call_soon_threadsafe(over))
        return work


def _score(model: LoadedModel, inputs: object, params: dict[str, object], route: str, submitted: float) -> object:
    QUEUE_WAIT.observe(time.perf_counter() - submitted)
    with INFERENCE_DURATION.labels(model.identity.name, model.identity.version, route).time():
        return model.score(inputs, params)
