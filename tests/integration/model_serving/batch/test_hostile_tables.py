"""Tables that are wrong or mean harm, from their upload to their results: what is wrong fails, the rest is scored."""

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.integration.model_serving.batch.workers import ended, fetch, results, worker
from tests.integration.model_serving.publisher import Publisher
from tests.integration.model_serving.running import Service, serving

LARGE = "x" * (3 << 20)
"""A cell of three megabytes."""
ROW = "1.0,2.0,3.0"


@pytest.fixture
async def service(settings_env: dict[str, str], publisher: Publisher, tmp_path: Path) -> AsyncIterator[Service]:
    publisher.linear(2.0)
    async with serving(settings_env, publisher, tmp_path / "serving") as running:
        yield running


async def scored(service: Service, publisher: Publisher, content: bytes, kind: str) -> tuple[dict[str, Any], list[Any]]:
    """Score a table; return its job, and for each row the answer or what is wrong with it."""
    answer = await service.client.post(
        "/api/v1/batch/table",
        content=content,
        headers={"content-type": kind},
        params={"model": publisher.name, "version": "1"},
    )
    assert answer.status_code == 202, answer.text
    place = answer.headers["location"]
    job = await ended(service, place)
    if job["state"] != "completed":
        return job, []
    table = pq.read_table(io.BytesIO(await fetch(service, place, "parquet")))
    found = [row.get("prediction") if row["error"] is None else row["error"] for row in table.to_pylist()]
    assert [found[one["item"]] for one in await results(service, place)] == [one for one in found if type(one) is str]
    return job, found


class TestCells:
    @pytest.mark.parametrize("cell", [LARGE, f'"{LARGE}"'])
    async def test_a_cell_of_megabytes_fails_its_row_alone(
        self, service: Service, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path, *, cell: str
    ) -> None:
        lines = ["a,b,c", *[ROW] * 5, f"{cell},2.0,3.0", *[ROW] * 5]
        async with worker(settings_env, tmp_path):
            job, found = await scored(service, publisher, "\n".join(lines).encode(), "text/csv")
        assert (job["state"], job["items"], job["succeeded"], job["failed"]) == ("completed", 11, 10, 1)
        assert [place for place, one in enumerate(found) if type(one) is str] == [5]
        assert found[5].startswith("The row is longer than 1 MB")
        assert [one for one in found if type(one) is not str] == pytest.approx([2.0] * 10)

    async def test_a_quote_that_never_ends_fails_what_it_swallows(
        self, service: Service, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        lines = ["a,b,c", ROW, f'"{LARGE},2.0,3.0', *[ROW] * 3]
        async with worker(settings_env, tmp_path):
            job, found = await scored(service, publisher, "\n".join(lines).encode(), "text/csv")
        assert (job["state"], job["succeeded"]) == ("completed", 1)
        assert found[0] == pytest.approx(2.0)
        assert {one for one in found if type(one) is str} == {found[1]}
        assert "a quote in it is never closed" in found[1]

    async def test_a_value_of_megabytes_in_jsonl_fails_its_row_alone(
        self, service: Service, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        good = '{"a": 1.0, "b": 2.0, "c": 3.0}'
        lines = [good, f'{{"a": "{LARGE}", "b": 2.0, "c": 3.0}}', good]
        async with worker(settings_env, tmp_path):
            job, found = await scored(service, publisher, "\n".join(lines).encode(), "application/x-ndjson")
        assert (job["state"], job["succeeded"], job["failed"]) == ("completed", 2, 1)
        assert found[1].startswith("The row is longer than 1 MB")


class TestRows:
    async def test_ragged_rows_fail_alone(
        self, service: Service, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        lines = ["a,b,c", ROW, "1.0", f"{ROW},4.0,5.0", ROW, "1.0,2.0"]
        async with worker(settings_env, tmp_path):
            job, found = await scored(service, publisher, "\n".join(lines).encode(), "text/csv")
        assert (job["state"], job["succeeded"], job["failed"]) == ("completed", 2, 3)
        assert found[1:3] == ["has 1 values; the table has 3 columns", "has 5 values; the table has 3 columns"]
        assert found[4] == "has 2 values; the table has 3 columns"
        assert [found[0], found[3]] == pytest.approx([2.0, 2.0])


class TestFooters:
    async def test_pages_that_are_not_what_the_footer_says_fail_their_row_group_alone(
        self, service: Service, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        table = pa.table({"a": np.ones(20), "b": np.arange(20.0), "c": np.arange(20.0)})
        file = io.BytesIO()
        pq.write_table(table, file, row_group_size=10, use_dictionary=False, compression="zstd")
        column = pq.ParquetFile(file).metadata.row_group(0).column(0)
        content = bytearray(file.getvalue())
        start, size = column.data_page_offset, column.total_compressed_size
        content[start : start + size] = b"\xff" * size
        async with worker(settings_env, tmp_path):
            job, found = await scored(service, publisher, bytes(content), "application/vnd.apache.parquet")
        assert (job["state"], job["items"], job["succeeded"], job["failed"]) == ("completed", 20, 10, 10)
        assert {"not what the footer" in one for one in found[:10]} == {True}
        assert found[10:] == pytest.approx([2.0] * 10)

    async def test_more_rows_than_there_are_fail_their_row_group(
        self, service: Service, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        file = io.BytesIO()
        table = pa.table({name: np.arange(5000.0) for name in "abc"})
        pq.write_table(table, file, write_statistics=False, store_schema=False)
        content = bytearray(file.getvalue())
        rows = b"\x16\x90\x4e"  # a number of 64 bits, 5000 in zigzag
        places = [place for place in range(len(content)) if content.startswith(rows, place)]
        content[places[-1] + 1 : places[-1] + 3] = b"\xfe\x7f"
        assert pq.ParquetFile(io.BytesIO(content)).metadata.row_group(0).num_rows == 8191
        async with worker(settings_env, tmp_path):
            job, found = await scored(service, publisher, bytes(content), "application/vnd.apache.parquet")
        assert (job["state"], job["succeeded"], job["failed"]) == ("completed", 0, 8191)
        assert {"not what the footer" in one for one in found} == {True}

    async def test_a_footer_that_cannot_be_read_fails_the_job(
        self, service: Service, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        content = bytearray(pd.DataFrame({name: [1.0] for name in "abc"}).to_parquet(index=False))
        content[-8:-4] = (2**31 - 1).to_bytes(4, "little")
        async with worker(settings_env, tmp_path):
            job, _ = await scored(service, publisher, bytes(content), "application/vnd.apache.parquet")
        assert (job["state"], job["items"]) == ("failed", 0)
        assert "footer" in job["error"]
