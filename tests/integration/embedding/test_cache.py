"""Vectors of texts that were embedded before."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from urllib.parse import urlsplit, urlunsplit

import numpy as np
import pytest
import redis.asyncio

from mlplatform.service.kernel import connect_redis
from services.embedding.cache import PREFIX, VectorCache
from services.embedding.settings import EmbeddingSettings
from services.embedding.vectors import Row
from tests.integration.embedding.running import Running, serve
from tests.integration.embedding.waiting import eventually
from tests.unit.embedding.encoders import DIMENSION, HeldEncoder, WordEncoder

DAY = timedelta(days=1)


def row_of(number: int) -> Row:
    return Row(np.full(DIMENSION, number, dtype=np.float32), number, False)


def key_of(number: int) -> bytes:
    return number.to_bytes(8) * 4


@pytest.fixture
async def client(settings: EmbeddingSettings) -> AsyncIterator[redis.asyncio.Redis]:
    client = connect_redis(settings, "test")
    yield client
    await client.aclose()


@pytest.fixture
def dead(settings: EmbeddingSettings, unused_tcp_port: int) -> EmbeddingSettings:
    """Settings with a Redis that does not answer."""
    url = urlsplit(settings.redis_url.get_secret_value())
    there = url._replace(netloc=url.netloc.replace(str(url.port), str(unused_tcp_port)))
    return settings.model_copy(update={"redis_url": type(settings.redis_url)(urlunsplit(there))})


class TestCache:
    async def test_what_was_stored_is_found(self, client):
        cache = VectorCache(client, entries=100, ttl=DAY)
        cache.write({key_of(number): row_of(number) for number in range(3)}, DIMENSION)
        await cache.settle()

        rows = await cache.read([key_of(2), key_of(7), key_of(0)], DIMENSION)

        assert {key: row.tokens for key, row in rows.items()} == {key_of(2): 2, key_of(0): 0}
        assert rows[key_of(2)].vector.tolist() == [2.0] * DIMENSION

    async def test_what_is_still_to_be_stored_is_found_too(self, client):
        cache = VectorCache(client, entries=100, ttl=DAY)
        cache.write({key_of(1): row_of(1)}, DIMENSION)
        cache.write({key_of(2): row_of(2)}, DIMENSION)

        rows = await cache.read([key_of(1), key_of(2), key_of(3)], DIMENSION)

        assert {key: row.tokens for key, row in rows.items()} == {key_of(1): 1, key_of(2): 2}
        await cache.settle()

    async def test_what_comes_while_others_are_stored_is_stored_too(self, client):
        cache = VectorCache(client, entries=1000, ttl=DAY)
        for number in range(200):
            cache.write({key_of(number): row_of(number)}, DIMENSION)
            await asyncio.sleep(0.001)
        await cache.close()

        found = await VectorCache(client, entries=1000, ttl=DAY).read([*map(key_of, range(200))], DIMENSION)

        assert [row.tokens for row in found.values()] == [*range(200)]

    async def test_it_never_takes_more_than_its_places(self, client):
        cache = VectorCache(client, entries=5, ttl=DAY)
        cache.write({key_of(number): row_of(number) for number in range(50)}, DIMENSION)
        await cache.settle()

        assert len(await client.keys(f"{PREFIX}*")) == 5
        found = await cache.read([key_of(number) for number in range(50)], DIMENSION)
        assert len(found) == 5
        assert all(row.tokens == int.from_bytes(key[:8]) for key, row in found.items())

    async def test_an_entry_ends(self, client):
        cache = VectorCache(client, entries=5, ttl=timedelta(hours=1))
        cache.write({key_of(1): row_of(1)}, DIMENSION)
        await cache.settle()

        assert 3500 < await client.ttl(f"{PREFIX}1") <= 3600

    async def test_vectors_of_huge_models_are_not_kept(self, client):
        cache = VectorCache(client, entries=5, ttl=DAY)
        cache.write({key_of(1): Row(np.ones(100_000, np.float32), 1, False)}, 100_000)
        await cache.settle()

        assert await client.keys(f"{PREFIX}*") == []

    async def test_a_foreign_value_in_a_place_is_passed_over(self, client):
        await client.set(f"{PREFIX}1", b"something else")
        cache = VectorCache(client, entries=5, ttl=DAY)

        assert await cache.read([key_of(1)], DIMENSION) == {}


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for Redis, also where other tests keep the machine busy."""
    monkeypatch.setattr("services.embedding.cache.TIMEOUT_SECONDS", 5.0)


@pytest.mark.usefixtures("patient")
class TestService:
    async def test_a_text_is_computed_once(self, settings):
        async with serve(settings, WordEncoder()) as running:
            first = await embed(running, texts=["yield curve"])
            await running.cache.settle()
            second = await embed(running, texts=["yield curve"])

        assert first == second
        assert running.encoder.forwarded == [1]

    async def test_only_new_texts_of_a_request_are_computed(self, settings):
        async with serve(settings, WordEncoder()) as running:
            await embed(running, texts=["a", "b"])
            await running.cache.settle()
            answer = await embed(running, texts=["b", "c", "a", "word " * 65, "c"])

        assert sum(running.encoder.forwarded) == 4
        assert answer["tokens"] == [1, 1, 1, 64, 1]
        assert answer["truncated"] == [3]

    async def test_truncation_is_remembered(self, settings):
        async with serve(settings, WordEncoder()) as running:
            first = await embed(running, texts=["word " * 65])
            await running.cache.settle()
            assert await embed(running, texts=["word " * 65]) == first

        assert first["truncated"] == [0]

    async def test_another_prompt_is_another_text(self, settings):
        async with serve(settings, WordEncoder()) as running:
            plain = await embed(running, texts=["curve"])
            await running.cache.settle()
            prompted = await embed(running, texts=["curve"], prompt="query: ")
            await running.cache.settle()
            by_name = await embed(running, texts=["curve"], prompt_name="query")

        assert plain["embeddings"] != prompted["embeddings"]
        assert by_name["embeddings"] == prompted["embeddings"]
        assert running.encoder.forwarded == [1, 1]

    async def test_what_the_model_puts_before_a_text_is_part_of_it(self, settings):
        encoder = WordEncoder()
        encoder.default_prompt = "query: "
        async with serve(settings, encoder) as running:
            plain = await embed(running, texts=["curve"])
            await running.cache.settle()
            by_name = await embed(running, texts=["curve"], prompt_name="query")
            other = await embed(running, texts=["curve"], prompt="passage: ")

        assert plain["embeddings"] == by_name["embeddings"] != other["embeddings"]
        assert np.allclose(plain["embeddings"], WordEncoder().encode(["query: curve"]), atol=1e-6)
        assert encoder.forwarded == [1, 1]

    async def test_another_backend_computes_again(self, settings):
        encoder = WordEncoder()
        async with serve(settings, encoder) as running:
            await embed(running, texts=["a"])
            await running.cache.settle()
            encoder.backend = "openvino-int8"
            await embed(running, texts=["a"])

        assert encoder.forwarded == [1, 1]

    async def test_what_was_computed_while_the_backend_was_exchanged_is_not_kept(self, settings, client):
        encoder = HeldEncoder()
        async with serve(settings, encoder) as running:
            answer = asyncio.create_task(embed(running, texts=["a"]))
            await eventually(encoder.started.is_set)
            encoder.backend = "openvino-int8"
            encoder.gate.set()
            assert len((await answer)["embeddings"]) == 1
            await running.cache.settle()
            assert await client.keys(f"{PREFIX}*") == []

    async def test_shorter_vectors_are_cut_from_the_entry(self, settings):
        async with serve(settings, WordEncoder()) as running:
            whole = await embed(running, texts=["yield curve"])
            await running.cache.settle()
            short = await embed(running, texts=["yield curve"], dimensions=300)

        kept = np.array(whole["embeddings"][0][:300])
        assert np.allclose(short["embeddings"][0], kept / np.linalg.norm(kept), atol=1e-6)
        assert running.encoder.forwarded == [1]

    async def test_the_metrics_say_what_was_found(self, settings):
        async with serve(settings, WordEncoder()) as running:
            before = await counted(running, "ml_embedding_cache_hits_total")
            await embed(running, texts=["a"])
            await running.cache.settle()
            await embed(running, texts=["a"])
            assert await counted(running, "ml_embedding_cache_hits_total") == before + 1

    async def test_it_can_be_turned_off(self, settings, client):
        async with serve(settings.model_copy(update={"embedding_cache_entries": 0}), WordEncoder()) as running:
            await embed(running, texts=["a"])
            await embed(running, texts=["a"])
            info = (await running.client.get("/info")).json()

        assert running.encoder.forwarded == [1, 1]
        assert info["cache"]["state"] == "off"
        assert await client.keys(f"{PREFIX}*") == []


class TestOutage:
    async def test_without_redis_texts_are_embedded_all_the_same(self, dead):
        async with serve(dead, WordEncoder()) as running:
            answers = [await embed(running, texts=[f"text {number}"]) for number in range(5)]
            info = (await running.client.get("/info")).json()

        assert all(len(answer["embeddings"]) == 1 for answer in answers)
        assert info["cache"]["state"] == "unreachable"

    async def test_only_the_first_request_asks_a_dead_redis(self, dead):
        async with serve(dead, WordEncoder()) as running:
            before = await counted(running, "ml_embedding_cache_errors_total")
            for number in range(50):
                await embed(running, texts=[f"text {number}"])
            assert await counted(running, "ml_embedding_cache_errors_total") == before + 1

    async def test_the_cache_is_used_again_once_redis_answers(self, settings, dead):
        client = connect_redis(dead, "test")
        cache = VectorCache(client, entries=5, ttl=DAY)
        assert await cache.read([key_of(1)], DIMENSION) == {}
        assert cache.state == "unreachable"

        async with forwarded(address_of(dead), address_of(settings)):
            await eventually(lambda: is_used(cache))
            await cache.close()
            await client.aclose()


def address_of(settings: EmbeddingSettings) -> tuple[str, int]:
    found = urlsplit(settings.redis_url.get_secret_value())
    return str(found.hostname), int(found.port or 0)


async def is_used(cache: VectorCache) -> bool:
    """Ask it for something, which is what has it look whether Redis answers again."""
    await cache.read([key_of(1)], DIMENSION)
    return cache.state == "on"


async def embed(running: Running, **body: object) -> dict:
    response = await running.client.post("/api/v1/embed", json=body)
    assert response.status_code == 200, response.text
    return response.json()


async def counted(running: Running, name: str) -> float:
    lines = (await running.client.get("/metrics")).text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.split(" ")[0] == name)


@asynccontextmanager
async def forwarded(source: tuple[str, int], target: tuple[str, int]) -> AsyncIterator[None]:
    """Pass what comes to an address on to another one, until all who came have left."""
    passing: set[asyncio.Task[None]] = set()

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        passing.add(asyncio.current_task())
        up_reader, up_writer = await asyncio.open_connection(*target)
        await asyncio.gather(pump(reader, up_writer), pump(up_reader, writer))

    listener = await asyncio.start_server(serve_one, *source)
    yield
    listener.close()
    if passing:
        await asyncio.wait(passing)


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while content := await reader.read(65_536):
        writer.write(content)
        await writer.drain()
    writer.close()
