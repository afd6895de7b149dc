import asyncio
import threading
from collections.abc import AsyncIterator, Sequence

import numpy as np
import pytest

from mlplatform.events import running
from services.embedding.batcher import Batcher
from services.embedding.encoding.backend import Vectors
from services.embedding.encoding.tokens import Tokens
from services.embedding.errors import EncodingFailedError, ModelNotLoaded, QueueFull
from tests.unit.embedding.encoders import WordEncoder


class HeldEncoder(WordEncoder):
    """Encodes only while the gate is open, so that a test decides what waits meanwhile."""

    def __init__(self, budget: int = 2048) -> None:
        super().__init__(budget)
        self.gate = threading.Event()
        self.started = threading.Event()

    def forward(self, tokens: Sequence[Tokens]) -> Vectors:
        self.started.set()
        assert self.gate.wait(30)
        return super().forward(tokens)


@pytest.fixture
def encoder() -> HeldEncoder:
    return HeldEncoder()


@pytest.fixture
async def batcher(encoder: HeldEncoder) -> AsyncIterator[Batcher]:
    batcher = Batcher(encoder, max_queued_texts=100)
    async with running(batcher, "encoder"):
        yield batcher
        encoder.gate.set()


async def start(batcher: Batcher, encoder: HeldEncoder, texts: list[str]) -> "asyncio.Task[object]":
    """Send a request and return once it is being encoded."""
    task = asyncio.create_task(batcher.encode(texts))
    assert await asyncio.to_thread(encoder.started.wait, 30)
    return task


async def send(batcher: Batcher, texts: list[str]) -> "asyncio.Task[object]":
    task = asyncio.create_task(batcher.encode(texts))
    await asyncio.sleep(0)
    return task


class TestEncode:
    async def test_vectors_come_in_the_order_of_the_texts(self, batcher, encoder):
        encoder.gate.set()
        texts = [f"word{number} " * (number % 7 + 1) for number in range(40)]

        encoded = await batcher.encode(texts)

        assert np.allclose(encoded.vectors, WordEncoder().encode(texts), atol=1e-6)
        assert encoded.token_counts == [number % 7 + 1 for number in range(40)]

    async def test_truncated_texts_are_named(self, batcher, encoder):
        encoder.gate.set()

        encoded = await batcher.encode(["short", "long " * 65])

        assert encoded.truncated == [1]

    async def test_requests_that_wait_are_encoded_together(self, batcher, encoder):
        first = await start(batcher, encoder, ["first"])
        waiting = [await send(batcher, [f"text{number}"]) for number in range(10)]
        encoder.gate.set()

        await asyncio.gather(first, *waiting)

        assert encoder.forwarded == [1, 10]

    async def test_short_requests_go_before_the_next_batch_of_a_long_one(self, encoder):
        encoder.budget = 4
        batcher = Batcher(encoder, max_queued_texts=1000)
        done: list[str] = []
        async with running(batcher, "encoder"):
            long = await start(batcher, encoder, ["word"] * 40)
            long.add_done_callback(lambda _: done.append("long"))
            short = await send(batcher, ["query"])
            short.add_done_callback(lambda _: done.append("short"))
            encoder.gate.set()
            await asyncio.gather(long, short)

        assert done == ["short", "long"]
        assert encoder.forwarded[:2] == [4, 1]

    async def test_one_bad_request_fails_alone(self, batcher, encoder):
        first = await start(batcher, encoder, ["first"])
        good, bad = await send(batcher, ["good"]), await send(batcher, ["poison"])
        encoder.gate.set()

        outcomes = await asyncio.gather(first, good, bad, return_exceptions=True)

        assert [isinstance(outcome, EncodingFailedError) for outcome in outcomes] == [False, False, True]

    async def test_a_full_queue_refuses_with_retry_after(self, batcher, encoder):
        first = await start(batcher, encoder, ["text"] * 90)

        with pytest.raises(QueueFull) as refusal:
            await batcher.encode(["text"] * 11)

        assert (refusal.value.status, refusal.value.headers["Retry-After"]) == (429, "1")
        encoder.gate.set()
        await first

    async def test_the_queue_takes_requests_again_after_it_was_full(self, batcher, encoder):
        first = await start(batcher, encoder, ["text"] * 100)
        encoder.gate.set()
        await first

        assert len((await batcher.encode(["text"] * 100)).vectors) == 100

    async def test_a_caller_that_left_is_not_encoded(self, batcher, encoder):
        first = await start(batcher, encoder, ["first"])
        gone, kept = await send(batcher, ["gone"]), await send(batcher, ["kept"])
        gone.cancel()
        encoder.gate.set()

        await asyncio.gather(first, kept)

        assert encoder.forwarded == [1, 1]

    async def test_the_event_loop_is_free_while_a_batch_runs(self, batcher, encoder):
        first = await start(batcher, encoder, ["first"])

        for _ in range(100):
            await asyncio.sleep(0)

        assert not first.done()
        encoder.gate.set()
        await first


class TestStop:
    async def test_what_waits_is_served_and_nothing_more_is_taken(self, batcher, encoder):
        first = await start(batcher, encoder, ["first"])
        waiting = await send(batcher, ["waiting"])
        batcher.stop()

        with pytest.raises(ModelNotLoaded):
            await batcher.encode(["late"])
        encoder.gate.set()
        await asyncio.gather(first, waiting)
