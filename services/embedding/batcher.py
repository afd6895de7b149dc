"""One queue before the model: what waits while a batch runs is encoded together next."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import numpy as np
import structlog
from opentelemetry import trace

from services.embedding import metrics
from services.embedding.encoding.backend import Vectors
from services.embedding.encoding.encoder import Encoder
from services.embedding.encoding.tokens import Tokens
from services.embedding.errors import EncodingFailedError, ModelNotLoaded, QueueFull

Lane = Literal["short", "long"]
Result = TypeVar("Result")

SHORT_REQUEST_TEXTS = 16
WINDOW_TEXTS = 1024

log = structlog.get_logger(__name__)
tracer = trace.get_tracer(__name__)


@dataclass(frozen=True, slots=True)
class Encoded:
    """What became of the texts of one request, in their order.

    Attributes:
        vectors: Unit vectors, `(texts, dimension)`.
        token_counts: Tokens of each text as the model read it.
        truncated: Positions of the texts that were longer than the model reads.
    """

    vectors: Vectors
    token_counts: list[int]
    truncated: list[int]


@dataclass(slots=True, eq=False)
class _Request:
    texts: Sequence[str]
    done: "asyncio.Future[Encoded]"
    arrived: float = field(default_factory=time.perf_counter)


class Batcher:
    """Encodes across requests, on a thread of its own, so that the event loop is never blocked.

    Requests of a few texts have a lane of their own and go before the next batch of a long one: a search query waits
    for one batch at most, never for a bulk load.

    Args:
        encoder: The model.
        max_queued_texts: Texts that may wait; a request beyond that is refused.
    """

    def __init__(self, encoder: Encoder, *, max_queued_texts: int) -> None:
        self._encoder = encoder
        self._max_queued_texts = max_queued_texts
        self._queued_texts = 0
        self._lanes: dict[Lane, deque[_Request]] = {"short": deque(), "long": deque()}
        self._arrived = asyncio.Event()
        self._stopping = False
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="encoder")

    async def encode(self, texts: Sequence[str], *, refuse_when_full: bool = True) -> Encoded:
        """Encode texts; return when they are done.

        Args:
            texts: Texts, none of them empty.
            refuse_when_full: False for a caller that bounds its own work and has nobody waiting.

        Raises:
            QueueFull: Too many texts wait already.
            EncodingFailedError: The model failed on these texts.
            ModelNotLoaded: The service is stopping.
        """
        if self._stopping:
            raise ModelNotLoaded("The embedding service is stopping.")
        # A request larger than the queue is let in when nothing waits; else it could never be served.
        full = self._queued_texts and self._queued_texts + len(texts) > self._max_queued_texts
        if full and refuse_when_full:
            raise QueueFull
        request = _Request(texts, asyncio.get_running_loop().create_future())
        lane: Lane = "short" if len(texts) <= SHORT_REQUEST_TEXTS else "long"
        self._lanes[lane].append(request)
        self._count(len(texts))
        self._arrived.set()
        try:
            with tracer.start_as_current_span("embedding.encode", attributes={"ml.texts": len(texts)}) as span:
                encoded = await request.done
                span.set_attribute("ml.tokens", sum(encoded.token_counts))
                return encoded
        finally:
            self._count(-len(texts))

    def stop(self) -> None:
        """Let `run` return once what waits is served."""
        self._stopping = True
        self._arrived.set()

    async def run(self) -> None:
        """Serve requests until stopped."""
        with self._thread:
            while not self._stopping:
                await self._arrived.wait()
                self._arrived.clear()
                while await self._serve_lane("short") or await self._serve_lane("long"):
                    pass

    def _count(self, texts: int) -> None:
        self._queued_texts += texts
        metrics.QUEUED_TEXTS.set(self._queued_texts)

    def _take(self, lane: Lane) -> list[_Request]:
        """Take what waits in a lane, up to a window; skip requests whose caller has left."""
        waiting, window, texts = self._lanes[lane], list[_Request](), 0
        while waiting and (not window or texts + len(waiting[0].texts) <= WINDOW_TEXTS):
            request = waiting.popleft()
            if request.done.done():
                continue
            metrics.QUEUE_WAIT.labels(lane).observe(time.perf_counter() - request.arrived)
            window.append(request)
            texts += len(request.texts)
        return window

    async def _serve_lane(self, lane: Lane) -> bool:
        window = self._take(lane)
        if window:
            await self._serve(window, lane)
        return bool(window)

    async def _serve(self, window: list[_Request], lane: Lane) -> None:
        # Whatever the model raises is the answer to its texts and must not end this loop.
        (failure,) = await asyncio.gather(self._encode(window, lane), return_exceptions=True)
        if failure is None:
            return
        if len(window) == 1:
            _fail(window[0], failure)
            return
        for request in window:  # one request's text must not fail its neighbours: each goes alone
            await self._serve([request], lane)

    async def _encode(self, window: list[_Request], lane: Lane) -> None:
        texts = [text for request in window for text in request.texts]
        tokens = await self._in_thread(lambda: self._encoder.tokenise(texts))
        vectors = np.empty((len(texts), self._encoder.dimension), dtype=np.float32)
        for batch in self._encoder.batches(tokens):
            vectors[batch] = await self._forward([tokens[row] for row in batch])
            if lane == "long":
                await self._serve_lane("short")
            if all(request.done.done() for request in window):
                return
        _deliver(window, vectors, tokens)

    async def _forward(self, batch: list[Tokens]) -> Vectors:
        started = time.perf_counter()
        vectors = await self._in_thread(lambda: self._encoder.forward(batch))
        metrics.BATCH_SECONDS.observe(time.perf_counter() - started)
        metrics.BATCH_TEXTS.observe(len(batch))
        metrics.TOKENS.inc(sum(map(len, batch)))
        metrics.PADDED_TOKENS.inc(self._encoder.padded_tokens(batch))
        return vectors

    async def _in_thread(self, call: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)


def _deliver(window: Iterable[_Request], vectors: Vectors, tokens: Sequence[Tokens]) -> None:
    start = 0
    for request in window:
        end = start + len(request.texts)
        rows = tokens[start:end]
        truncated = [position for position, row in enumerate(rows) if row.truncated]
        metrics.TRUNCATED.inc(len(truncated))
        if not request.done.done():
            request.done.set_result(Encoded(vectors[start:end], [len(row) for row in rows], truncated))
        start = end


def _fail(request: _Request, cause: BaseException) -> None:
    log.error("embedding.encoding_failed", count=len(request.texts), exc_info=cause)
    if not request.done.done():
        failure = EncodingFailedError(f"The model failed with {type(cause).__name__}.")
        failure.__cause__ = cause
        request.done.set_exception(failure)
