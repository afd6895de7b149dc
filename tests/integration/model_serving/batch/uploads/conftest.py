"""A service that takes files, with limits that tests can break, and a bucket of the test's own."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from unittest import mock

import httpx
import psycopg
import pytest
from minio import Minio

from mlplatform.database import Database
from mlplatform.objects import ObjectStore
from services.model_serving.batch.quota.quota import Quota
from services.model_serving.batch.uploads.arrival import Arrivals
from services.model_serving.batch.uploads.removal import Removal
from services.model_serving.batch.uploads.room import Room
from services.model_serving.settings import ServingSettings
from tests.integration.model_serving.publisher import Publisher
from tests.integration.model_serving.running import Service, serving

KIB = 1024
LIMITS = {
    "ML_MAX_FILE_SIZE": str(64 * KIB),
    "ML_MAX_FILES_PER_BATCH": "5",
    "ML_MAX_TOTAL_UPLOAD_SIZE": str(128 * KIB),
    "ML_BATCH_CHUNK_ITEMS": "4",
    "ML_BATCH_ARCHIVE_ENTRIES": "20",
}
TEXT = b"good morning"
HOUR = timedelta(hours=1)
MANY = Quota(1000, 1 << 30, 1000)


class Bucket:
    """A bucket of the test's own."""

    def __init__(self, settings: ServingSettings) -> None:
        self.objects = ObjectStore(settings)
        self._name = settings.s3_bucket
        self._client: Minio = self.objects._client

    def listed(self) -> set[str]:
        return {str(one.object_name) for one in self._client.list_objects(self._name, recursive=True)}

    def clear(self) -> None:
        for key in self.listed():
            self._client.remove_object(self._name, key)
        self._client.remove_bucket(self._name)


@pytest.fixture
def environment(settings_env: dict[str, str], unique: str) -> dict[str, str]:
    return settings_env | LIMITS | {"ML_S3_BUCKET": unique}


@asynccontextmanager
async def bucket_in(environment: dict[str, str]) -> AsyncIterator[Bucket]:
    """Own the bucket that the settings name for the time of the block."""
    with mock.patch.dict(os.environ, environment):
        found = Bucket(ServingSettings())
    await found.objects.ensure_bucket()
    yield found
    found.clear()
    found.objects.close()


@pytest.fixture
async def bucket(environment: dict[str, str]) -> AsyncIterator[Bucket]:
    async with bucket_in(environment) as found:
        yield found


@pytest.fixture
async def service(
    environment: dict[str, str], bucket: Bucket, publisher: Publisher, tmp_path: Path
) -> AsyncIterator[Service]:
    publisher.linear(2.0)
    async with serving(environment, publisher, tmp_path) as running:
        yield running


async def send(
    service: Service, publisher: Publisher, *contents: bytes, headers: dict[str, str] | None = None, **fields: str
) -> httpx.Response:
    """Send files under names that mean harm."""
    files = [("files", (f"../../etc/{number}.exe", content)) for number, content in enumerate(contents)]
    data = {"model": publisher.name, "version": "1", **fields}
    return await service.client.post("/api/v1/batch/files", data=data, files=files, headers=headers)


def rows(owner: psycopg.Connection) -> list[tuple[int, int]]:
    return owner.execute("SELECT files, bytes FROM batch_uploads").fetchall()


def arrivals(
    database: Database,
    objects: ObjectStore,
    *,
    quota: Quota = MANY,
    spool: int = 1 << 30,
    lease: timedelta = HOUR,
    host: str = "here",
) -> Arrivals:
    """Let uploads in as the service does."""
    return Arrivals(database, Room(quota, spool, lease, host), Removal(database, objects, HOUR))
