"""What a tenant may keep, whoever sends at the same time."""

import asyncio
from pathlib import Path

import psycopg
import pytest

from tests.integration.model_serving.batch.uploads.conftest import TEXT, Bucket, rows, send
from tests.integration.model_serving.publisher import Publisher
from tests.integration.model_serving.running import serving


class TestQuota:
    async def test_uploads_at_the_same_time_do_not_pass_it_together(
        self,
        environment: dict[str, str],
        bucket: Bucket,
        publisher: Publisher,
        tmp_path: Path,
        owner: psycopg.Connection,
    ) -> None:
        publisher.linear(2.0)
        async with serving(environment, publisher, tmp_path, ML_BATCH_QUOTA_FILES="7") as service:
            answers = await asyncio.gather(*(send(service, publisher, TEXT, TEXT) for _ in range(20)))
        codes = [answer.status_code for answer in answers]
        assert (codes.count(202), codes.count(429)) == (3, 17)
        assert {answer.json()["code"] for answer in answers if answer.status_code == 429} == {"quota_exceeded"}
        assert len(bucket.listed()) == 6
        assert rows(owner) == [(2, 2 * len(TEXT))] * 3

    @pytest.mark.parametrize(("name", "value"), [("BYTES", "20"), ("ITEMS", "2")])
    async def test_of_bytes_and_items(
        self,
        environment: dict[str, str],
        bucket: Bucket,
        publisher: Publisher,
        tmp_path: Path,
        *,
        name: str,
        value: str,
    ) -> None:
        publisher.linear(2.0)
        async with serving(environment, publisher, tmp_path, **{f"ML_BATCH_QUOTA_{name}": value}) as service:
            assert (await send(service, publisher, TEXT)).status_code == 202
            answer = await send(service, publisher, TEXT, TEXT)
        assert (answer.status_code, answer.json()["code"]) == (429, "quota_exceeded")
        assert ("are to be reviewed" in answer.json()["detail"]) == (name == "BYTES")
        assert len(bucket.listed()) == 1
