"""The end of the doorbell where the work is done: a Celery worker and its beat, in threads of the worker process."""

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from threading import Thread

import structlog
from celery import Celery, Task
from celery.beat import Scheduler, Service
from celery.worker import WorkController, state

from services.model_serving.batch.doorbell.celery_app import QUEUE, RETAIN, RING, SWEEP
from services.model_serving.batch.tracing import TRACEPARENT, worker_span

STOP_SECONDS = 5.0
LONGEST_NAP = 5.0
"""Most seconds for which beat sleeps, which is how long it takes to end."""

TALKATIVE = ("celery.worker.strategy", "celery.app.trace", "celery.beat")
"""They log each message."""

Wake = Callable[[], None]

log = structlog.get_logger(__name__)


@asynccontextmanager
async def listening(celery: Celery, *, ring: Wake, sweep: Wake, retain: Wake) -> AsyncIterator[None]:
    """Call the three on the event loop when their messages come, for the time of the block.

    Celery keeps what it knows of a worker in its modules, so a process can listen once.

    Args:
        celery: The application; tasks are added to it.
        ring: There are new chunks.
        sweep: It is time to look for ended leases.
        retain: It is time to delete old jobs.
    """
    loop = asyncio.get_running_loop()
    for name, wake in ((RING, ring), (SWEEP, sweep), (RETAIN, retain)):
        celery.task(_task(loop, wake), name=name, bind=True)
    celery.finalize()
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    controller = WorkController(
        app=celery,
        pool="solo",  # the tasks do nothing; what works are processes of our own
        concurrency=1,
        hostname=f"batch@{socket.gethostname()}.{os.getpid()}",
        queues=[QUEUE],
        loglevel="WARNING",
        without_heartbeat=True,
        without_mingle=True,
        without_gossip=True,
    )
    beat = Service(celery, max_interval=LONGEST_NAP, scheduler_cls=Scheduler)  # the usual one keeps a file
    threads = [
        Thread(target=controller.start, name="celery-worker", daemon=True),
        Thread(target=beat.start, name="celery-beat", daemon=True),
    ]
    state.should_stop = None
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        state.should_stop = os.EX_OK
        beat.stop()
        for thread in threads:
            await asyncio.to_thread(thread.join, STOP_SECONDS)
            if thread.is_alive():  # it waits for a broker that is down, and ends with the process
                log.warning("batch.listener_left", thread=thread.name)


def _task(loop: asyncio.AbstractEventLoop, wake: Wake) -> Callable[[Task], None]:
    def run(task: Task) -> None:
        headers = task.request.headers or {}
        with worker_span(f"process {QUEUE}", headers.get(TRACEPARENT), {"messaging.system": "celery"}):
            loop.call_soon_threadsafe(wake)

    return run
