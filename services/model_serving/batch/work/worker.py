"""A worker: its slots, its upkeep and its ear at the doorbell."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import structlog

from mlplatform.events import running
from mlplatform.service import Fault, Kernel
from services.model_serving.batch.doorbell.celery_app import make_celery, sweep_interval
from services.model_serving.batch.doorbell.listener import listening
from services.model_serving.batch.exports.files import EarlierFiles
from services.model_serving.batch.quota.quota import Quota
from services.model_serving.batch.scoring.process import ScorerProcess
from services.model_serving.batch.uploads.removal import Removal
from services.model_serving.batch.webhook.composition import make_deliverer
from services.model_serving.batch.work.burial import Burial
from services.model_serving.batch.work.claims import Claims
from services.model_serving.batch.work.slot import Slot
from services.model_serving.batch.work.upkeep import Upkeep
from services.model_serving.settings import ServingSettings

RESERVE = timedelta(seconds=5)
"""Of the time to shut down, what is left for giving chunks back."""

log = structlog.get_logger(__name__)


@asynccontextmanager
async def working(kernel: Kernel, settings: ServingSettings, fault: Fault) -> AsyncIterator[None]:
    """Work on chunks for the time of the block; at its end the chunks under way are finished or given back.

    A loop that ends by itself is a fault, after which the process ends: it would look as if it worked.
    """
    async with AsyncExitStack() as stack:
        burial = Burial(kernel.database)
        upkeep = Upkeep(
            kernel.database,
            kernel.objects,
            burial,
            interval=sweep_interval(settings),
            retention=settings.batch_retention,
        )
        holder = f"{socket.gethostname()}.{os.getpid()}"
        slots: list[Slot] = []

        def ring() -> None:
            for slot in slots:
                slot.wake()

        for number in range(settings.batch_processes):
            scorer = ScorerProcess(settings)
            stack.push_async_callback(scorer.close)
            slots.append(
                Slot(
                    Claims(
                        kernel.database,
                        f"{holder}.{number}",
                        settings.batch_lease,
                        Quota.of(settings),
                        EarlierFiles(kernel.objects),
                        most_reviews=settings.batch_max_reviews,
                    ),
                    burial,
                    scorer,
                    lease=settings.batch_lease,
                    chunk_timeout=settings.batch_chunk_timeout,
                    poll=settings.batch_poll_interval,
                    ring=ring,
                )
            )
            await scorer.start()
        removal = Removal(kernel.database, kernel.objects, settings.batch_upload_grace)
        kernel.health.register(
            "uploads", await stack.enter_async_context(running(removal, "batch upload sweeper", fault.report))
        )
        kernel.health.register("upkeep", await stack.enter_async_context(running(upkeep, "batch upkeep", fault.report)))
        for number, slot in enumerate(slots):
            name = f"slot {number}"
            kernel.health.register(name, await stack.enter_async_context(running(slot, name, fault.report)))

        if settings.batch_webhook_secret is not None:
            deliverer = make_deliverer(kernel.database, settings, settings.batch_webhook_secret)
            kernel.health.register(
                "webhooks", await stack.enter_async_context(running(deliverer, "batch webhooks", fault.report))
            )

        await stack.enter_async_context(
            listening(make_celery(settings), ring=ring, sweep=upkeep.sweep, retain=upkeep.retain)
        )
        stack.push_async_callback(_drain, slots, settings.shutdown_timeout - RESERVE)
        yield


async def _drain(slots: list[Slot], patience: timedelta) -> None:
    """Take no more chunks, and in good time give back what would take too long."""
    for slot in slots:
        slot.stop()
    log.info("batch.draining", seconds=patience.total_seconds())
    loop = asyncio.get_running_loop()
    for slot in slots:
        loop.call_later(max(0.0, patience.total_seconds()), slot.hurry)
