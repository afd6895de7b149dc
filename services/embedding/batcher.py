"""One queue before the model: what waits while a batch runs is encoded together next."""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, TypeVar

import numpy as np
import structlog
from opentelemetry import trace

from mlplatform.embedders.prompts import document_prompt
from mlplatform.telemetry import start_span
from services.embedding import metrics
from services.embedding.encoding.backend import Vectors
from services.embedding.encoding.encoder import Encoder
from services.embedding.encoding.tokens import Tokens
from services.embedding.errors import EncodingFailedError, ModelNotLoaded, QueueFull
from services.embedding.token_ids import IdReader, Text

Lane = Literal["short", "long"]
Result = TypeVar("Result")

SHORT_REQUEST_TEXTS = 16
WINDOW_TEXTS = 1024
CHUNK_LENGTH = 131_072
"""Characters, or token ids, that are tokenised in one go; a short request waits for no more of a long one."""
LONGEST_RETRY = 60
RECENT = 0.3
"""Weight of the last window in the rate that says when there is room again."""

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
    texts: Sequence[Text]
    prompt: str
    done: "asyncio.Future[Encoded]"
    arrived: float = field(default_factory=time.perf_counter)


@dataclass(frozen=True, slots=True)
class _Begun:
    """A window whose texts are tokens now, with the vectors of its first batch."""

    tokens: list[Tokens]
    batches: list[list[int]]
    first: Vectors | None = None


class Batcher:
    """Encodes across requests, on a thread of its own, so that the event loop is never blocked.

    Requests of a few texts have a lane of their own and go before the next batch of a long one: a search query waits
    for one batch at most, never for a bulk load, and is not refused because of one.

    Args:
        encoder: The model.
        max_queued_texts: Texts that may wait in a lane; a request beyond that is refused.

    Attributes:
        document_prompt: What the model was trained to have before documents; it is for the caller to ask for.
    """

    def __init__(self, encoder: Encoder, *, max_queued_texts: int) -> None:
        self._encoder = encoder
        self.document_prompt = document_prompt(encoder.prompts)
        self._max_queued_texts = max_queued_texts
        self._queued_texts: dict[Lane, int] = {"short": 0, "long": 0}
        self._lanes: dict[Lane, deque[_Request]] = {"short": deque(), "long": deque()}
        self._waits = {name: metrics.QUEUE_WAIT.labels(name) for name in self._lanes}
        self._texts_per_second = 0.0
        self._id_reader: IdReader | None = None
        self._arrived = asyncio.Event()
        self._stopping = False
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="encoder")

    @property
    def queued_texts(self) -> int:
        """Texts that wait or are being encoded."""
        return sum(self._queued_texts.values())

    async def encode(self, texts: Sequence[Text], *, prompt: str = "", refuse_when_full: bool = True) -> Encoded:
        """Encode texts; return when they are done. Who cancels this leaves the queue.

        Args:
            texts: Texts, none of them empty, or ids of the model's own tokenizer.
            prompt: Put before each text, never before ids; an empty one for what the model itself puts there.
            refuse_when_full: False for a caller that bounds its own work and has nobody waiting.

        Raises:
            QueueFull: Too many texts wait already.
            EncodingFailedError: The model failed on these texts.
            ModelNotLoaded: The service is stopping.
        """
        if self._stopping:
            raise ModelNotLoaded("The embedding service is stopping.")
        lane: Lane = "short" if len(texts) <= SHORT_REQUEST_TEXTS else "long"
        # A request larger than the queue is let in when nothing waits; else it could never be served.
        queued = self._queued_texts[lane]
        if refuse_when_full and queued and queued + len(texts) > self._max_queued_texts:
            metrics.REFUSED.labels(lane).inc()
            raise QueueFull(self._seconds_of(self.queued_texts))
        request = _Request(texts, prompt, asyncio.get_running_loop().create_future())
        self._lanes[lane].append(request)
        self._count(lane, len(texts))
        self._arrived.set()
        try:
            with start_span(tracer, "embedding.encode", {"ml.texts": len(texts)}) as span:
                encoded = await request.done
                span.set_attribute("ml.tokens", sum(encoded.token_counts))
                return encoded
        finally:
            self._count(lane, -len(texts))
            if request.done.cancelled():
                metrics.ABANDONED.inc()
                with suppress(ValueError):  # it is being encoded
                    self._lanes[lane].remove(request)

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

    def _count(self, lane: Lane, texts: int) -> None:
        self._queued_texts[lane] += texts
        metrics.QUEUED_TEXTS.set(self.queued_texts)

    def _seconds_of(self, texts: int) -> int:
        """Say how long these texts should take, by what the last ones took."""
        if not self._texts_per_second:
            return 1
        return min(LONGEST_RETRY, max(1, math.ceil(texts / self._texts_per_second)))

    def _take(self, lane: Lane) -> list[_Request]:
        """Take what waits in a lane, up to a window."""
        waiting, window, texts = self._lanes[lane], list[_Request](), 0
        while waiting and (not window or texts + len(waiting[0].texts) <= WINDOW_TEXTS):
            request = waiting.popleft()
            if request.done.done():  # its caller has left, and has not had its turn yet to leave the lane too
                continue
            self._waits[lane].observe(time.perf_counter() - request.arrived)
            window.append(request)
            texts += len(request.texts)
        return window

    async def _serve_lane(self, lane: Lane) -> bool:
        window = self._take(lane)
        if window:
            await self._serve(window, lane)
        return bool(window)

    async def _serve(self, window: list[_Request], lane: Lane) -> None:
        try:
            await self._encode(window, lane)
        except Exception as failure:  # noqa: BLE001 (what the model raises answers its texts and must not end this loop)
            if len(window) == 1:
                _fail(window[0], failure)
                return
        else:
            return
        for request in window:  # one request's text must not fail its neighbours: each goes alone
            await self._serve([request], lane)

    async def _encode(self, window: list[_Request], lane: Lane) -> None:
        started = time.perf_counter()
        begun = await self._begin(window, lane)
        if begun is None:
            return
        tokens = begun.tokens
        vectors = np.empty((len(tokens), self._encoder.dimension), dtype=np.float32)
        for number, batch in enumerate(begun.batches):
            if number == 0 and begun.first is not None:
                vectors[batch] = begun.first
            else:
                rows = [tokens[row] for row in batch]
                vectors[batch] = await self._in_thread(partial(self._forward, rows))
            if await self._all_left(window, lane):
                return
        rate = len(tokens) / (time.perf_counter() - started)
        self._texts_per_second += (RECENT if self._texts_per_second else 1) * (rate - self._texts_per_second)
        _deliver(window, vectors, tokens)

    async def _begin(self, window: list[_Request], lane: Lane) -> _Begun | None:
        """Tokenise a window and plan its batches; None when nobody waits for it any more."""
        texts = [text for request in window for text in self._prompted(request)]
        chunks = list(_chunks(texts))
        if len(chunks) == 1:
            return await self._in_thread(partial(self._begin_at_once, texts))
        tokens: list[Tokens] = []
        for chunk in chunks:
            tokens += await self._in_thread(partial(self._tokenise, chunk))
            if await self._all_left(window, lane):
                return None
        return _Begun(tokens, await self._in_thread(partial(self._encoder.batches, tokens)))

    def _prompted(self, request: _Request) -> Sequence[Text]:
        prompt = request.prompt or self._encoder.default_prompt
        if not prompt:
            return request.texts
        return [prompt + text if isinstance(text, str) else text for text in request.texts]

    async def _all_left(self, window: list[_Request], lane: Lane) -> bool:
        """Between two steps of a window: let short requests through, and see whether anybody waits for the rest."""
        if lane == "long":
            await self._serve_lane("short")
        return all(request.done.done() for request in window)

    def _begin_at_once(self, texts: Sequence[Text]) -> _Begun:
        """Tokenise and encode the first batch in one visit to the thread: each visit costs a query some 0.1 ms."""
        tokens = self._tokenise(texts)
        batches = self._encoder.batches(tokens)
        return _Begun(tokens, batches, self._forward([tokens[row] for row in batches[0]]) if batches else None)

    def _tokenise(self, texts: Sequence[Text]) -> list[Tokens]:
        strings = [text for text in texts if isinstance(text, str)]
        if len(strings) == len(texts):
            return self._encoder.tokenise(strings)
        if self._id_reader is None:
            self._id_reader = IdReader(self._encoder)
        of_strings = iter(self._encoder.tokenise(strings) if strings else ())
        reader = self._id_reader
        return [next(of_strings) if isinstance(text, str) else reader.read(text) for text in texts]

    def _forward(self, batch: list[Tokens]) -> Vectors:
        started = time.perf_counter()
        vectors = self._encoder.forward(batch)
        metrics.BATCH_SECONDS.observe(time.perf_counter() - started)
        metrics.BATCH_TEXTS.observe(len(batch))
        metrics.TOKENS.inc(sum(map(len, batch)))
        metrics.PADDED_TOKENS.inc(self._encoder.padded_tokens(batch))
        return vectors

    async def _in_thread(self, call: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)


def _chunks(texts: Sequence[Text]) -> Iterator[Sequence[Text]]:
    """Cut texts into parts of a bounded length, at least one text each; no texts are one part."""
    start = length = 0
    for position, text in enumerate(texts):
        if position > start and length + len(text) > CHUNK_LENGTH:
            yield texts[start:position]
            start, length = position, 0
        length += len(text)
    yield texts[start:]


def _deliver(window: Iterable[_Request], vectors: Vectors, tokens: Sequence[Tokens]) -> None:
    start = 0
    for request in window:
        end = start + len(request.texts)
        rows = tokens[start:end]
        truncated = [position for position, row in enumerate(rows) if row.truncated]
        if truncated:
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
