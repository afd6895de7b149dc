"""Messages over a real broker."""

import asyncio
import os
from collections.abc import AsyncIterator
from unittest import mock

import pytest
import redis.asyncio
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from services.model_serving.batch.doorbell.bell import Bell
from services.model_serving.batch.doorbell.celery_app import make_celery
from services.model_serving.batch.doorbell.listener import listening
from services.model_serving.settings import ServingSettings
from tests.integration.model_serving.running import eventually

SECONDS = 30.0


class Ear:
    """Notes what it hears, and in which trace."""

    def __init__(self) -> None:
        self.traces: list[int] = []
        self.heard = asyncio.Event()

    def __call__(self) -> None:
        self.traces.append(trace.get_current_span().get_span_context().trace_id)
        self.heard.set()


@pytest.fixture
def settings(settings_env: dict[str, str]) -> ServingSettings:
    with mock.patch.dict(os.environ, settings_env | {"ML_BATCH_LEASE": "3s"}):
        return ServingSettings()


@pytest.fixture
async def bell(settings: ServingSettings) -> AsyncIterator[Bell]:
    bell = Bell(make_celery(settings))
    yield bell
    await bell.close()


class TestRing:
    async def test_a_message_arrives_once_in_the_trace_of_who_sent_it(
        self, settings: ServingSettings, bell: Bell, redis_url: str
    ) -> None:
        ring, sweep = Ear(), Ear()
        asked = SpanContext(0xABC, 0xDEF, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
        async with listening(make_celery(settings), ring=ring, sweep=sweep, retain=Ear()):
            with trace.use_span(NonRecordingSpan(asked)):
                bell.ring()
            async with asyncio.timeout(SECONDS):
                await ring.heard.wait()
                await sweep.heard.wait()  # beat says so, every second

            async def settled() -> bool:
                async with redis.asyncio.Redis.from_url(redis_url) as client:
                    return not await client.keys("ml:batch:unacked*")

            await eventually(settled)
        assert ring.traces == [asked.trace_id]

    async def test_many_at_once_are_few_messages(self, bell: Bell, redis_url: str) -> None:
        for _ in range(100):
            bell.ring()
        await bell.close()
        async with redis.asyncio.Redis.from_url(redis_url) as client:
            assert 1 <= await client.llen("ml:batch:batch") <= 2
