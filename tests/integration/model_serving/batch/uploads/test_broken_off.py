"""Uploads that end before they become a job, whatever ended them."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from typing import TypeAlias
from unittest import mock
from uuid import uuid4

import psycopg
import pytest
from starlette.requests import ClientDisconnect

from mlplatform.database import Database
from mlplatform.errors import Conflict, DependencyUnavailable
from mlplatform.objects import ObjectStore
from services.model_serving.batch.uploads import repository
from services.model_serving.batch.uploads.errors import BadForm, UploadTooLarge
from services.model_serving.batch.uploads.form import Form
from services.model_serving.batch.uploads.limits import Limits
from services.model_serving.batch.uploads.receiving import Receiver
from services.model_serving.batch.uploads.removal import Removal, key_of
from services.model_serving.settings import ServingSettings
from tests.integration.model_serving.batch.uploads.conftest import HOUR, KIB, TEXT, Bucket, arrivals, rows
from tests.integration.model_serving.running import eventually

BEGIN = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
Left: TypeAlias = Callable[[], tuple[set[str], list[tuple[int, int]]]]
"""Says which objects and rows there are."""
NOTHING = (set(), [])


def form() -> Form:
    return Form("multipart/form-data; boundary=x")


def receiver_of(database: Database, objects: ObjectStore, limits: Limits = Limits()) -> Receiver:  # noqa: B008 (frozen)
    return Receiver(arrivals(database, objects), objects, limits)


async def receive(receiver: Receiver, body: AsyncIterator[bytes]) -> None:
    """Receive an upload that does not come to its end."""
    async with receiver.receiving("a", form(), body):
        raise AssertionError


@pytest.fixture
def receiver(database: Database, bucket: Bucket) -> Receiver:
    return receiver_of(database, bucket.objects)


@pytest.fixture
def removal(database: Database, bucket: Bucket) -> Removal:
    return Removal(database, bucket.objects, HOUR)


@pytest.fixture
def left(bucket: Bucket, owner: psycopg.Connection) -> Left:
    return lambda: (bucket.listed(), rows(owner))


class TestBrokenOff:
    async def test_a_client_that_goes_away_leaves_nothing(self, receiver: Receiver, bucket: Bucket, left: Left) -> None:
        stored = asyncio.Event()

        async def body() -> AsyncIterator[bytes]:
            yield BEGIN + TEXT + b"\r\n" + BEGIN
            stored.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(receive(receiver, body()))
        await stored.wait()
        assert len(bucket.listed()) == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert left() == NOTHING

    async def test_nor_does_a_connection_that_breaks(self, receiver: Receiver, left: Left) -> None:
        async def body() -> AsyncIterator[bytes]:
            yield BEGIN + TEXT + b"\r\n" + BEGIN
            raise ClientDisconnect

        with pytest.raises(BadForm, match="gone away"):
            await receive(receiver, body())
        assert left() == NOTHING

    async def test_nor_does_one_that_is_taken_for_broken_off_and_goes_on(
        self, receiver: Receiver, removal: Removal, bucket: Bucket, left: Left, owner: psycopg.Connection
    ) -> None:
        async def body() -> AsyncIterator[bytes]:
            yield BEGIN + TEXT + b"\r\n"
            owner.execute(
                "UPDATE batch_uploads SET created_at = now() - interval '2 h', reserved_until = now() - interval '1 s'"
            )
            assert await removal.sweep() == 1
            yield BEGIN + TEXT + b"\r\n--x--\r\n"

        async def refuse() -> None:
            async with receiver.receiving("a", form(), body()) as received:
                assert len(bucket.listed()) == received.files == 2
                raise Conflict("it took too long")

        with pytest.raises(Conflict):
            await refuse()
        assert left() == NOTHING

    async def test_one_that_takes_long_is_not_taken_for_broken_off_while_it_goes_on(
        self, receiver: Receiver, removal: Removal, bucket: Bucket, database: Database, owner: psycopg.Connection
    ) -> None:
        async def body() -> AsyncIterator[bytes]:
            yield BEGIN + TEXT + b"\r\n"
            owner.execute("UPDATE batch_uploads SET created_at = now() - interval '1 day'")
            assert await removal.sweep() == 0
            yield BEGIN + TEXT + b"\r\n--x--\r\n"

        async with receiver.receiving("a", form(), body()) as received:
            async with database.transaction("a") as connection:
                assert await repository.keep(connection, received.arrival.id, uuid4(), files=2, size=received.size)
            assert len(bucket.listed()) == 2

    async def test_what_comes_behind_the_form_is_not_read_for_ever(
        self, bucket: Bucket, database: Database, left: Left
    ) -> None:
        sent = 0

        async def body() -> AsyncIterator[bytes]:
            nonlocal sent
            yield BEGIN + TEXT + b"\r\n--x--\r\n"
            for _ in range(100):
                sent += 1
                yield bytes(64 * KIB)

        with pytest.raises(UploadTooLarge, match="larger than"):
            await receive(receiver_of(database, bucket.objects, Limits(total_size=1000)), body())
        assert sent < 20
        assert left() == NOTHING

    async def test_s3_that_is_away_is_a_503_and_the_row_stays_for_the_sweep(
        self,
        environment: dict[str, str],
        removal: Removal,
        database: Database,
        left: Left,
        owner: psycopg.Connection,
    ) -> None:
        with mock.patch.dict(os.environ, environment | {"ML_S3_ENDPOINT": "http://127.0.0.1:1"}):
            away = ObjectStore(ServingSettings())

        async def body() -> AsyncIterator[bytes]:
            yield BEGIN + TEXT + b"\r\n--x--\r\n"

        with pytest.raises(DependencyUnavailable):
            await receive(receiver_of(database, away), body())
        away.close()
        assert owner.execute("SELECT removed FROM batch_uploads").fetchall() == [(True,)]
        assert await removal.sweep() == 1
        assert left() == NOTHING


class TestSweep:
    async def test_it_finds_what_a_process_left_that_died(
        self, removal: Removal, bucket: Bucket, database: Database, owner: psycopg.Connection
    ) -> None:
        dead, alive = uuid4(), uuid4()
        for upload in (dead, alive):
            async with database.transaction("a") as connection:
                await repository.begin(connection, upload, 5)
            for number in range(2):
                await bucket.objects.put(key_of(upload, number), TEXT)
        owner.execute("UPDATE batch_uploads SET created_at = now() - interval '2 h' WHERE id = %s", (dead,))
        assert await removal.sweep() == 1
        assert bucket.listed() == {key_of(alive, number) for number in range(2)}
        assert owner.execute("SELECT id FROM batch_uploads").fetchall() == [(alive,)]

    async def test_it_goes_on_until_it_is_stopped(
        self, removal: Removal, database: Database, owner: psycopg.Connection
    ) -> None:
        async with database.transaction("a") as connection:
            await repository.begin(connection, uuid4(), 1)
        owner.execute("UPDATE batch_uploads SET created_at = now() - interval '1 day'")
        sweeping = asyncio.create_task(removal.run())

        async def is_swept() -> bool:
            return rows(owner) == []

        await eventually(is_swept)
        await asyncio.wait({sweeping}, timeout=0.1)
        assert not sweeping.done()
        removal.stop()
        await sweeping

    async def test_what_is_being_removed_gets_no_job(self, database: Database) -> None:
        upload = uuid4()
        async with database.transaction("a") as connection:
            await repository.begin(connection, upload, 5)
            assert await repository.remove(connection, upload) == 5
            assert not await repository.keep(connection, upload, uuid4(), files=1, size=1)
