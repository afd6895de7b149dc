"""A bucket of the test's own."""

import os
from collections.abc import AsyncIterator
from unittest import mock

import pytest

from mlplatform.objects import ObjectStore
from services.model_serving.settings import ServingSettings


@pytest.fixture
def settings(settings_env: dict[str, str], unique: str) -> ServingSettings:
    with mock.patch.dict(os.environ, settings_env | {"ML_S3_BUCKET": unique}):
        return ServingSettings()


@pytest.fixture
async def objects(settings: ServingSettings) -> AsyncIterator[ObjectStore]:
    store = ObjectStore(settings)
    await store.ensure_bucket()
    yield store
    for one in store._client.list_objects(settings.s3_bucket, recursive=True):
        store._client.remove_object(settings.s3_bucket, str(one.object_name))
    store._client.remove_bucket(settings.s3_bucket)
    store.close()
