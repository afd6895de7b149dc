"""A bucket of the test's own, and a service that keeps files in it."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from unittest import mock

import pytest

from mlplatform.objects import ObjectStore
from services.model_serving.settings import ServingSettings
from tests.integration.model_serving.publisher import Publisher
from tests.integration.model_serving.running import Service, serving


@pytest.fixture
def settings(settings_env: dict[str, str], unique: str) -> ServingSettings:
    with mock.patch.dict(os.environ, settings_env | {"ML_S3_BUCKET": unique}):
        return ServingSettings()


def keys(store: ObjectStore, settings: ServingSettings) -> set[str]:
    """Return what is in the bucket."""
    return {str(one.object_name) for one in store._client.list_objects(settings.s3_bucket, recursive=True)}


@pytest.fixture
async def objects(settings: ServingSettings) -> AsyncIterator[ObjectStore]:
    store = ObjectStore(settings)
    await store.ensure_bucket()
    yield store
    for key in keys(store, settings):
        store._client.remove_object(settings.s3_bucket, key)
    store._client.remove_bucket(settings.s3_bucket)
    store.close()


@pytest.fixture
def environment(settings_env: dict[str, str], settings: ServingSettings, objects: ObjectStore) -> dict[str, str]:
    return settings_env | {"ML_S3_BUCKET": settings.s3_bucket}


@pytest.fixture
async def service(environment: dict[str, str], publisher: Publisher, tmp_path: Path) -> AsyncIterator[Service]:
    async with serving(environment, publisher, tmp_path / "serving") as running:
        yield running
