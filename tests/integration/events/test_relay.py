import asyncio
from datetime import timedelta

import psycopg
import pytest
from redis.asyncio import Redis

from mlplatform.database import Database
from mlplatform.events import CloudEvent, OutboxRelay, enqueue, running
from mlplatform.events.schemas import parse
from mlplatform.events.streams import EVENT_FIELD
from tests.integration.events.conftest import TYPE, make_event
from tests.integration.events.waiting import until

NEVER = timedelta(minutes=10)

# What a relay that is killed at the worst moment looks like to Postgres: its events are on the stream, the connection
# is gone, and nothing is committed.
DIE_BEFORE_COMMIT = """
CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$;
CREATE TRIGGER die BEFORE UPDATE ON outbox FOR EACH ROW EXECUTE FUNCTION die();
"""


async def put(database: Database, *events: CloudEvent) -> None:
    async with database.transaction("acme") as connection:
        for event in events:
            await enqueue(connection, event)


async def published(redis: Redis, stream: str = TYPE) -> list[str]:
    """Return the ids of the events on a stream."""
    return [parse(fields[EVENT_FIELD.encode()]).id for _, fields in await redis.xrange(stream)]


class TestRelayOnce:
    async def test_publishes_in_order_and_once(self, database: Database, redis: Redis) -> None:
        events = [make_event(tenant) for tenant in ("acme", "acme", "acme")]
        await put(database, *events)
        relay = OutboxRelay(database, redis, batch=2)
        assert await relay.relay_once() == 3
        assert await relay.relay_once() == 0
        assert await published(redis) == [event.id for event in events]

    async def test_relays_share_the_outbox(self, database: Database, redis: Redis) -> None:
        events = [make_event() for _ in range(40)]
        await put(database, *events)
        relays = [OutboxRelay(database, redis, batch=5) for _ in range(3)]
        counts = await asyncio.gather(*(relay.relay_once() for relay in relays))
        # A relay stops when it finds only rows that others hold, so a last look may be due.
        assert sum(counts) + await relays[0].relay_once() == 40
        assert sorted(await published(redis)) == sorted(event.id for event in events)

    async def test_a_relay_that_dies_before_its_commit_publishes_twice_and_loses_nothing(
        self, database: Database, redis: Redis, owner: psycopg.Connection
    ) -> None:
        event = make_event()
        await put(database, event)
        owner.execute(DIE_BEFORE_COMMIT)
        with pytest.raises(psycopg.OperationalError):
            await OutboxRelay(database, redis).relay_once()
        assert await published(redis) == [event.id]
        owner.execute("DROP TRIGGER die ON outbox")
        assert await OutboxRelay(database, redis).relay_once() == 1
        assert await published(redis) == [event.id, event.id]

    async def test_an_event_that_redis_refuses_holds_back_no_other(
        self, database: Database, redis: Redis, owner: psycopg.Connection
    ) -> None:
        good = make_event()
        refused = good.model_copy(update={"type": "refused.v1", "id": "refused"})
        await put(database, refused, good)
        await redis.set("refused.v1", "no stream")
        relay = OutboxRelay(database, redis)
        await relay.relay_once()
        assert await published(redis) == [good.id]
        waiting = owner.execute("SELECT event_id, attempts, next_attempt_at > now() FROM outbox WHERE attempts = 1")
        assert ("refused", 1, True) in waiting.fetchall()

        await redis.delete("refused.v1")
        owner.execute("UPDATE outbox SET next_attempt_at = now() WHERE published_at IS NULL")
        assert await relay.relay_once() == 1
        assert await published(redis, "refused.v1") == ["refused"]


class TestRun:
    async def test_publishes_at_once_when_woken(self, database: Database, redis: Redis) -> None:
        relay = OutboxRelay(database, redis, poll_interval=NEVER)
        async with running(relay, "relay") as check:
            await put(database, make_event())
            relay.wake()
            await until(lambda: published(redis), "the publication")
            await check()

    async def test_finds_what_another_process_enqueued(self, database: Database, redis: Redis) -> None:
        async with running(OutboxRelay(database, redis, poll_interval=timedelta(milliseconds=20)), "relay"):
            await put(database, make_event())
            await until(lambda: published(redis), "the publication")

    async def test_goes_on_after_losing_both_stores(
        self, database: Database, redis: Redis, owner: psycopg.Connection, stack_env: dict[str, str]
    ) -> None:
        async with running(OutboxRelay(database, redis, poll_interval=timedelta(milliseconds=20)), "relay"):
            await put(database, make_event())
            await until(lambda: published(redis), "the publication")
            with psycopg.connect(stack_env["ML_DATABASE_ADMIN_URL"], autocommit=True) as server:
                server.execute(
                    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                    " WHERE datname = %s AND usename = 'ml_app'",
                    (owner.info.dbname,),
                )
            await redis.connection_pool.disconnect()
            second = make_event()
            await put(database, second)

            async def again() -> bool:
                return second.id in await published(redis)

            await until(again, "the publication after the outage")

    async def test_prunes_what_was_published_long_ago(
        self, database: Database, redis: Redis, owner: psycopg.Connection
    ) -> None:
        old, recent = make_event(), make_event()
        await put(database, old, recent)
        await OutboxRelay(database, redis).relay_once()
        owner.execute("UPDATE outbox SET published_at = now() - interval '8 days' WHERE event_id = %s", (old.id,))

        async def left() -> bool:
            return owner.execute("SELECT event_id FROM outbox").fetchall() == [(recent.id,)]

        async with running(OutboxRelay(database, redis), "relay"):
            await until(left, "the pruning")
