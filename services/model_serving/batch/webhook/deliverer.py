"""Delivers what is due, until it arrives or has failed too often.

A delivery is taken for a while and ended when the receiver has said that it has it. Whoever dies in between leaves it
due again: it arrives at least once, always under the same id.
"""

import asyncio
import random
import time
from collections.abc import Collection, Sequence
from datetime import timedelta

import orjson
import psycopg
import structlog

from mlplatform.database import Database
from mlplatform.errors import PlatformError
from mlplatform.events.outage import Outage, wait
from services.model_serving.batch import metrics
from services.model_serving.batch.webhook import repository
from services.model_serving.batch.webhook.errors import DeliveryError, InvalidWebhook
from services.model_serving.batch.webhook.networks import Networks
from services.model_serving.batch.webhook.repository import Delivery
from services.model_serving.batch.webhook.sender import Sender
from services.model_serving.batch.webhook.signature import ID, SIGNATURE, TIMESTAMP, sign, tenant_key
from services.model_serving.batch.webhook.target import read_target

DELAYS = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 1800, 3600, 10800, 21600, 43200))
"""Between the attempts; after the last one, about a day later, it is given up."""
BUSY = timedelta(seconds=30)
"""Added to the time of an attempt, before somebody else takes it for lost."""
AT_ONCE = 4
EVENT = "batch.job.ended"

log = structlog.get_logger(__name__)


class Deliverer:
    """Posts the ends of jobs to their receivers.

    Args:
        database: Where the deliveries are.
        sender: Posts.
        secret: Of the operator; the keys of tenants come of it.
        networks: Which addresses are permitted, now.
        ports: Which ports are, now.
        timeout: Of an attempt.
        poll: How often it looks.
        delays: Between the attempts.
    """

    def __init__(
        self,
        database: Database,
        sender: Sender,
        *,
        secret: bytes,
        networks: Networks,
        ports: Collection[int],
        timeout: timedelta,
        poll: timedelta,
        delays: Sequence[timedelta] = DELAYS,
    ) -> None:
        self._database = database
        self._sender = sender
        self._secret = secret
        self._networks = networks
        self._ports = ports
        self._busy = timeout + BUSY
        self._poll = poll
        self._delays = delays
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Let `run` return after the attempts at hand."""
        self._stopping.set()

    async def run(self) -> None:
        """Deliver until stopped, through outages of Postgres."""
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(self._run())

    async def deliver_next(self) -> bool:
        """Make one attempt at what is due; False when nothing is."""
        async with self._database.transaction() as connection:
            claimed = await repository.claim(connection, self._busy)
        if claimed is None:
            return False
        tenant, number = claimed
        async with self._database.transaction(tenant) as connection:
            delivery = await repository.read(connection, number)
        if delivery is not None:
            await self._deliver(delivery)
        return True

    async def _run(self) -> None:
        outage = Outage("batch webhooks")
        while not self._stopping.is_set():
            try:
                found = await self.deliver_next()
            except (psycopg.Error, PlatformError) as error:
                await wait(self._stopping, outage.failed(error))
                continue
            outage.ended()
            if not found:
                await wait(self._stopping, self._poll)

    async def _deliver(self, delivery: Delivery) -> None:
        try:
            await self._post(delivery)
        except DeliveryError as error:
            failure: DeliveryError | None = error
        else:
            failure = None
        over = failure is not None and (failure.for_good or delivery.attempts > len(self._delays))
        async with self._database.transaction(delivery.tenant_id) as connection:
            if failure is None:
                await repository.settle(connection, delivery, "delivered", None)
            elif over:
                await repository.settle(connection, delivery, "given_up", failure.reason)
            else:
                delay = self._delays[delivery.attempts - 1] * random.uniform(1.0, 1.2)  # noqa: S311 (keeps no secret)
                await repository.postpone(connection, delivery, delay, failure.reason)
        outcome = "delivered" if failure is None else "given_up" if over else "failed"
        metrics.WEBHOOKS.labels(outcome).inc()
        log.info(
            "batch.webhook", job=str(delivery.job_id), delivery=str(delivery.id), attempt=delivery.attempts,
            outcome=outcome, reason=None if failure is None else failure.reason,
        )  # fmt: skip

    async def _post(self, delivery: Delivery) -> None:
        if delivery.attempts > len(self._delays) + 1:  # those who made the others died of them
            raise DeliveryError("no attempt came to its end", for_good=True)
        try:
            target = read_target(delivery.url, ports=self._ports, networks=self._networks)
        except InvalidWebhook as error:  # the operator has changed what is allowed since the job was submitted
            raise DeliveryError(f"the address {error.errors[0].message}", for_good=True) from None
        body = body_of(delivery)
        timestamp = int(time.time())
        key = tenant_key(self._secret, delivery.tenant_id)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "ml-platform-webhook",
            ID: str(delivery.id),
            TIMESTAMP: str(timestamp),
            SIGNATURE: sign(key, timestamp, body),
        }
        await self._sender.post(target, headers, body)


def body_of(delivery: Delivery) -> bytes:
    """Return what is sent, the same at each attempt."""
    return orjson.dumps(
        {"id": str(delivery.id), "type": EVENT, "created_at": delivery.created_at, "job": delivery.event},
        option=orjson.OPT_UTC_Z,
    )
