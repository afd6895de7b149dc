"""The ends of jobs are told to receivers on loopback, at least once."""

import asyncio
import hashlib
import hmac
import ipaddress
import os
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import orjson
import psycopg
import pytest

from mlplatform.audit import AuditLog
from mlplatform.auth import Role, mint_token
from mlplatform.auth.principal import DEFAULT_TENANT
from mlplatform.database import Database
from mlplatform.idempotency import RepeatableRequest
from services.model_serving.batch.jobs.job import Job
from services.model_serving.batch.jobs.jobs import Jobs, Order
from services.model_serving.batch.webhook.deliverer import Deliverer
from services.model_serving.batch.webhook.networks import Networks
from services.model_serving.batch.webhook.sender import Sender
from services.model_serving.batch.webhook.signature import tenant_key
from services.model_serving.batch.work.claims import Claims
from services.model_serving.settings import ServingSettings
from tests.integration.model_serving.batch.orders import MODEL, Silence, caller, doubled
from tests.integration.model_serving.batch.workers import ended, worker
from tests.integration.model_serving.publisher import Publisher
from tests.integration.model_serving.running import eventually, serving
from tests.unit.model_serving.batch.webhook.receivers import receiver

SECRET = "the secret of an operator, long enough"
LOOPBACK = Networks([ipaddress.ip_network("127.0.0.0/8")])
BROKEN = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"
AT_ONCE = timedelta(0)
ROW = {"a": 1.0, "b": 2.0, "c": 3.0}


def jobs_of(database: Database) -> Jobs:
    return Jobs(database, Silence(), AuditLog(database), most_items=100, chunk_items=4)


async def submit(database: Database, port: int, *, tenant: str = "acme", inputs: Sequence[Any] = (1, 2, "x")) -> Job:
    order = Order(MODEL, list(inputs), webhook=f"http://127.0.0.1:{port}/jobs")
    once = RepeatableRequest("POST /api/v1/batch", None, b"")
    job = await jobs_of(database).submit(caller(tenant), order, once, "request")
    assert isinstance(job, Job)
    return job


async def finish(database: Database) -> None:
    claims = Claims(database, "tests", timedelta(hours=1))
    while (taken := await claims.take()) is not None:
        assert await claims.commit(*taken, doubled(taken[0])) is not None


def deliverer(
    database: Database,
    port: int,
    *,
    networks: Networks = LOOPBACK,
    delays: Sequence[timedelta] = (AT_ONCE,) * 3,
) -> Deliverer:
    return Deliverer(
        database,
        Sender(networks, timeout=timedelta(seconds=20)),
        secret=SECRET.encode(),
        networks=networks,
        ports=[port],
        timeout=timedelta(seconds=20),
        poll=timedelta(milliseconds=50),
        delays=delays,
    )


async def deliver_all(one: Deliverer) -> int:
    attempts = 0
    while await one.deliver_next():
        attempts += 1
    return attempts


def rows(owner: psycopg.Connection) -> list[tuple[str, int, str | None]]:
    return owner.execute("SELECT state, attempts, error FROM batch_deliveries ORDER BY number").fetchall()


def accepted(headers: dict[str, str], body: bytes, *, tenant: str = "acme") -> dict[str, Any]:
    """Check a request as the guide tells receivers to, and return what it says."""
    stamp = headers["ml-webhook-timestamp"]
    key = tenant_key(SECRET.encode(), tenant)
    expected = "v1=" + hmac.new(key.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(expected, headers["ml-webhook-signature"])
    assert abs(time.time() - int(stamp)) < 300
    event = orjson.loads(body)
    assert event["id"] == headers["ml-webhook-id"]
    return dict(event)


class TestGivenUp:
    async def test_attempts_whose_worker_died_are_attempts(self, database: Database, owner: psycopg.Connection) -> None:
        async with receiver() as seen:
            await submit(database, seen.port)
            await finish(database)
            owner.execute("UPDATE batch_deliveries SET attempts = 4")
            assert await deliver_all(deliverer(database, seen.port)) == 1
            assert seen.requests == []
        assert [(state, attempts) for state, attempts, _ in rows(owner)] == [("given_up", 5)]


class TestDelivered:
    async def test_a_receiver_learns_how_the_job_ended(self, database: Database, owner: psycopg.Connection) -> None:
        async with receiver() as seen:
            job = await submit(database, seen.port)
            one = deliverer(database, seen.port)
            assert await deliver_all(one) == 0
            await finish(database)
            assert await deliver_all(one) == 1
            assert await deliver_all(one) == 0
        ((line, headers, body),) = seen.requests
        assert line == "POST /jobs HTTP/1.1"
        assert headers["content-type"] == "application/json"
        event = accepted(headers, body)
        assert event["type"] == "batch.job.ended"
        told = event["job"]
        assert (told["id"], told["state"], told["model"]) == (str(job.id), "completed", "model")
        assert (told["items"], told["succeeded"], told["failed"], told["cancelled"]) == (3, 2, 1, 0)
        assert rows(owner) == [("delivered", 1, None)]

    async def test_each_end_of_a_job_is_told(self, database: Database) -> None:
        async with receiver() as seen:
            jobs = jobs_of(database)
            cancelled = await submit(database, seen.port)
            await jobs.cancel(caller("acme"), cancelled.id)
            retried = await submit(database, seen.port)
            await finish(database)
            await jobs.retry(caller("acme"), retried.id)
            await finish(database)
            assert await deliver_all(deliverer(database, seen.port)) == 3
        events = [accepted(headers, body) for _, headers, body in seen.requests]
        assert [(event["job"]["state"], event["job"]["retries"]) for event in events] == [
            ("cancelled", 0),
            ("completed", 0),
            ("completed", 1),
        ]
        assert len({event["id"] for event in events}) == 3

    async def test_a_job_without_an_address_tells_nobody(self, database: Database, owner: psycopg.Connection) -> None:
        once = RepeatableRequest("POST /api/v1/batch", None, b"")
        await jobs_of(database).submit(caller("acme"), Order(MODEL, [1]), once, "request")
        await finish(database)
        assert rows(owner) == []


class TestRetried:
    async def test_until_the_receiver_has_it_under_one_id(self, database: Database, owner: psycopg.Connection) -> None:
        async with receiver(first=[BROKEN, BROKEN]) as seen:
            await submit(database, seen.port)
            await finish(database)
            assert await deliver_all(deliverer(database, seen.port)) == 3
        events = [accepted(headers, body) for _, headers, body in seen.requests]
        assert len(events) == 3
        assert events[0] == events[1] == events[2]
        assert rows(owner) == [("delivered", 3, None)]

    async def test_not_before_its_time(self, database: Database, owner: psycopg.Connection) -> None:
        async with receiver(BROKEN) as seen:
            await submit(database, seen.port)
            await finish(database)
            one = deliverer(database, seen.port, delays=[timedelta(hours=1)])
            assert await deliver_all(one) == 1
        assert rows(owner) == [("pending", 1, "the receiver answered 503")]
        ((wait,),) = owner.execute("SELECT due_at - now() > interval '50 min' FROM batch_deliveries").fetchall()
        assert wait

    async def test_and_in_the_end_given_up(self, database: Database, owner: psycopg.Connection) -> None:
        async with receiver(BROKEN) as seen:
            await submit(database, seen.port)
            await finish(database)
            assert await deliver_all(deliverer(database, seen.port)) == 4
        assert rows(owner) == [("given_up", 4, "the receiver answered 503")]

    async def test_given_up_at_once_when_the_operator_allows_it_no_more(
        self, database: Database, owner: psycopg.Connection
    ) -> None:
        async with receiver() as seen:
            await submit(database, seen.port)
            await finish(database)
            assert await deliver_all(deliverer(database, seen.port, networks=Networks())) == 1
        ((state, _, error),) = rows(owner)
        assert (state, seen.connections) == ("given_up", 0)
        assert "private" in str(error)

    async def test_again_when_whoever_delivered_it_died(self, database: Database, owner: psycopg.Connection) -> None:
        async with receiver() as seen:
            await submit(database, seen.port)
            await finish(database)
            one = deliverer(database, seen.port)
            owner.execute("SELECT claim_batch_delivery('1 h')")
            assert await deliver_all(one) == 0
            owner.execute("UPDATE batch_deliveries SET due_at = now(), busy_until = now()")
            assert await deliver_all(one) == 1
        assert rows(owner) == [("delivered", 2, None)]


class TestTurns:
    async def test_a_tenant_whose_receiver_hangs_keeps_only_its_own_waiting(
        self, database: Database, owner: psycopg.Connection
    ) -> None:
        async with receiver() as seen:
            for _ in range(3):
                await submit(database, seen.port, tenant="slow")
            await submit(database, seen.port, tenant="other")
            await finish(database)
            owner.execute(
                "UPDATE batch_deliveries SET busy_until = now() + '1 h', due_at = now() + '1 h' "
                "WHERE number = (SELECT min(number) FROM batch_deliveries WHERE tenant_id = 'slow')"
            )
            assert await deliver_all(deliverer(database, seen.port)) == 1
        ((_, headers, body),) = seen.requests
        accepted(headers, body, tenant="other")

    async def test_many_who_deliver_send_each_once(self, database: Database) -> None:
        async with receiver() as seen:
            for number in range(8):
                await submit(database, seen.port, tenant=f"tenant-{number}")
            await finish(database)
            one = deliverer(database, seen.port)
            await asyncio.gather(*(deliver_all(one) for _ in range(4)))
        assert len({headers["ml-webhook-id"] for _, headers, _ in seen.requests}) == len(seen.requests) == 8


class TestService:
    @pytest.mark.parametrize(
        "wrong",
        [
            (None, "https://example.com/", "ML_BATCH_WEBHOOK_SECRET"),
            (SECRET, "https://127.0.0.1/", "private"),
            (SECRET, "https://example.com:22/", "8443"),
        ],
    )
    async def test_what_would_never_be_called_is_refused(
        self, settings_env: dict[str, str], publisher: Publisher, tmp_path: Path, wrong: tuple[str | None, str, str]
    ) -> None:
        secret, url, said = wrong
        changes = {} if secret is None else {"ML_BATCH_WEBHOOK_SECRET": secret}
        publisher.linear(2.0)
        async with serving(settings_env, publisher, tmp_path, **changes) as service:
            body = {"model": publisher.name, "version": 1, "inputs": [ROW], "webhook": url}
            answer = await service.client.post("/api/v1/batch", json=body)
            assert answer.status_code == 422, answer.text
            (error,) = answer.json()["errors"]
            assert error["field"] == "body.webhook"
            assert said in error["message"]
            assert (await service.client.get("/api/v1/jobs")).json()["jobs"] == []

    async def test_from_the_request_to_the_receiver(
        self, settings_env: dict[str, str], publisher: Publisher, tmp_path: Path
    ) -> None:
        publisher.linear(2.0)
        async with receiver() as seen:
            changes = {
                "ML_BATCH_WEBHOOK_SECRET": SECRET,
                "ML_BATCH_WEBHOOK_NETWORKS": "127.0.0.0/8",
                "ML_BATCH_WEBHOOK_PORTS": str(seen.port),
            }
            async with (
                serving(settings_env, publisher, tmp_path, **changes) as service,
                worker(settings_env, tmp_path, **changes),
            ):
                url = f"http://127.0.0.1:{seen.port}/jobs"
                body = {"model": publisher.name, "version": 1, "inputs": [ROW], "webhook": url}
                answer = await service.client.post("/api/v1/batch", json=body)
                assert answer.json()["webhook"] == url
                place = answer.headers["location"]
                await ended(service, place)

                async def delivered() -> bool:
                    (one,) = (await service.client.get(f"{place}/webhooks")).json()["deliveries"]
                    return bool(one["state"] == "delivered")

                await eventually(delivered)
        ((_, headers, told),) = seen.requests
        event = accepted(headers, told, tenant=DEFAULT_TENANT)
        assert event["job"]["succeeded"] == 1

    async def test_the_key_is_for_those_who_manage_keys(
        self, settings_env: dict[str, str], publisher: Publisher, tmp_path: Path, owner: psycopg.Connection
    ) -> None:
        with mock.patch.dict(os.environ, settings_env):
            settings = ServingSettings()

        def headers(tenant: str, role: Role) -> dict[str, str]:
            token = mint_token(settings, subject="t", tenant=tenant, roles=[role], ttl=timedelta(minutes=5))
            return {"Authorization": f"Bearer {token}"}

        changes = {"ML_AUTH_ENABLED": "true", "ML_BATCH_WEBHOOK_SECRET": SECRET}
        async with serving(settings_env, publisher, tmp_path, **changes) as service:
            for tenant in ("one", "two"):
                answer = await service.client.get("/api/v1/webhook-key", headers=headers(tenant, Role.ML_ADMIN))
                assert answer.json() == {"key": tenant_key(SECRET.encode(), tenant)}
            refused = await service.client.get("/api/v1/webhook-key", headers=headers("one", Role.USER))
            assert refused.status_code == 403
            exported = await service.client.get(
                "/api/v1/reviews/export", params={"model": "m"}, headers=headers("one", Role.USER)
            )
            assert exported.status_code == 403
        audited = owner.execute("SELECT count(*) FROM audit_events WHERE action = 'webhook_key.read'").fetchone()
        assert audited == (2,)
