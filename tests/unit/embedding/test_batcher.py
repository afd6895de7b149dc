import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest

from mlplatform.events import running
from services.embedding.batcher import Batcher
from services.embedding.errors import EncodingFailedError, ModelNotLoaded, QueueFull
from services.embedding.token_ids import Text
from tests.unit.embedding.encoders import FramedEncoder, HeldEncoder, WordEncoder, word_id


@pytest.fixture
def encoder() -> HeldEncoder:
    return HeldEncoder()


@pytest.fixture
async def batcher(encoder: HeldEncoder) -> AsyncIterator[Batcher]:
    batcher = Batcher(encoder, max_queued_texts=100)
    async with running(batcher, "encoder"):
        yield batcher
        encoder.gate.set()


async def start(batcher: Batcher, encoder: HeldEncoder, texts: list[Text]) -> "asyncio.Task[object]":
    """Send a request and return once it is being encoded."""
    task = asyncio.create_task(batcher.encode(texts))
    assert await asyncio.to_thread(encoder.started.wait, 30)
    return task


async def send(batcher: Batcher, texts: list[Text]) -> "asyncio.Task[object]":
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
        first = await start(batcher, encoder, ["text"] * 80)

        with pytest.raises(QueueFull) as refusal:
            await batcher.encode(["text"] * 21)

        assert (refusal.value.status, refusal.value.headers["Retry-After"]) == (429, "1")
        encoder.gate.set()
        await first

    async def test_a_query_is_not_refused_because_of_a_bulk_load(self, batcher, encoder):
        first = await start(batcher, encoder, ["text"] * 100)
        query = await send(batcher, ["query"])
        encoder.gate.set()

        assert len((await query).vectors) == 1
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

    async def test_a_caller_that_left_makes_room(self, batcher, encoder):
        first = await start(batcher, encoder, ["first"])
        gone = await send(batcher, ["gone"] * 100)
        gone.cancel()
        await asyncio.wait({gone})

        kept = await send(batcher, ["kept"] * 100)
        assert batcher.queued_texts == 101
        encoder.gate.set()
        await asyncio.gather(first, kept)

    async def test_a_request_whose_caller_left_is_not_encoded_to_its_end(self, encoder):
        encoder.budget = 4
        batcher = Batcher(encoder, max_queued_texts=1000)
        async with running(batcher, "encoder"):
            gone = await start(batcher, encoder, ["word"] * 40)
            gone.cancel()
            await asyncio.wait({gone})
            encoder.gate.set()
            await batcher.encode(["query"])

        assert encoder.forwarded == [4, 1]

    async def test_a_query_goes_before_the_rest_of_a_load_that_is_still_being_tokenised(self, encoder):
        batcher = Batcher(encoder, max_queued_texts=1000)
        encoder.gate.set()
        done: list[str] = []
        async with running(batcher, "encoder"):
            long = await send(batcher, ["word " * 20_000] * 40)
            long.add_done_callback(lambda _: done.append("long"))
            short = await send(batcher, ["query"])
            short.add_done_callback(lambda _: done.append("short"))
            await asyncio.gather(long, short)

        assert done == ["short", "long"]

    async def test_the_event_loop_is_free_while_a_batch_runs(self, batcher, encoder):
        first = await start(batcher, encoder, ["first"])

        for _ in range(100):
            await asyncio.sleep(0)

        assert not first.done()
        encoder.gate.set()
        await first


class TestTokenIds:
    async def test_ids_give_the_vector_of_their_text(self):
        encoder = FramedEncoder()
        batcher = Batcher(encoder, max_queued_texts=100)
        bare = [word_id("yield"), word_id("curve")]
        async with running(batcher, "encoder"):
            encoded = await batcher.encode(["yield curve", bare, [*encoder.BEGIN, *bare, *encoder.END]])

        assert np.allclose(encoded.vectors, encoded.vectors[0])
        assert encoded.token_counts == [4, 4, 4]

    async def test_more_ids_than_the_model_reads_are_cut(self):
        encoder = FramedEncoder()
        batcher = Batcher(encoder, max_queued_texts=100)
        async with running(batcher, "encoder"):
            encoded = await batcher.encode([[7] * 63, [7] * 62])

        assert encoded.token_counts == [encoder.max_tokens, encoder.max_tokens]
        assert encoded.truncated == [0]


class TestPrompt:
    @pytest.fixture
    async def prompted(self) -> AsyncIterator[Batcher]:
        """The queue of a model that puts a text of its own before each text."""
        encoder = WordEncoder()
        encoder.default_prompt = "passage: "
        batcher = Batcher(encoder, max_queued_texts=100)
        async with running(batcher, "encoder"):
            yield batcher

    async def test_what_the_model_puts_before_a_text_is_put_there(self, prompted):
        encoded = await prompted.encode(["yield curve"])

        assert np.allclose(encoded.vectors, WordEncoder().encode(["passage: yield curve"]))

    async def test_another_one_takes_its_place(self, prompted):
        encoded = await prompted.encode(["yield curve"], prompt="query: ")

        assert np.allclose(encoded.vectors, WordEncoder().encode(["query: yield curve"]))

    async def test_ids_have_none(self, prompted):
        encoded = await prompted.encode([[word_id("yield"), word_id("curve")], "yield"])

        assert np.allclose(encoded.vectors, WordEncoder().encode(["yield curve", "passage: yield"]))

    async def test_requests_of_different_prompts_are_encoded_together(self, batcher, encoder):
        first = await start(batcher, encoder, ["first"])
        prompts = ("", "query: ")
        waiting = [asyncio.create_task(batcher.encode(["curve"], prompt=prompt)) for prompt in prompts]
        await asyncio.sleep(0)
        encoder.gate.set()

        _, plain, query = await asyncio.gather(first, *waiting)

        assert encoder.forwarded == [1, 2]
        assert np.allclose(plain.vectors, WordEncoder().encode(["curve"]))
        assert np.allclose(query.vectors, WordEncoder().encode(["query: curve"]))


class TestStop:
    async def test_what_waits_is_served_and_nothing_more_is_taken(self, batcher, encoder):
        first = await start(batcher, encoder, ["first"])
        waiting = await send(batcher, ["waiting"])
        batcher.stop()

        with pytest.raises(ModelNotLoaded):
            await batcher.encode(["late"])
        encoder.gate.set()
        await asyncio.gather(first, waiting)
