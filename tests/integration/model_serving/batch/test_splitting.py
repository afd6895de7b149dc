"""Tables are cut into chunks, unless they are too much."""

import asyncio
import io
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlplatform.objects import ObjectStore
from services.model_serving.batch.scoring.assignment import Assignment, Report, Split, Unreadable
from services.model_serving.batch.scoring.bench import Bench
from services.model_serving.batch.tables.source import Form, TableFile
from services.model_serving.batch.tables.tasks import split_table
from services.model_serving.settings import ServingSettings
from tests.integration.model_serving.batch.orders import MODEL
from tests.unit.model_serving.batch.tables.signatures import declared

KEY = "batch/uploads/1/0"
MOST = 1000


async def split(objects: ObjectStore, settings: ServingSettings, content: bytes, form: Form) -> Report:
    await objects.put(KEY, content)
    model = SimpleNamespace(declared=declared("x"))
    bench = Bench(lambda: model, lambda: None, settings.model_copy(update={"batch_quota_items": MOST}))
    assignment = Assignment(MODEL, {}, (), b"", TableFile(KEY, form).describe(), "split", "a", "1")
    return await asyncio.to_thread(split_table, assignment, bench)


def nothing(rows: int) -> bytes:
    """Write rows that take no room in Parquet."""
    file = io.BytesIO()
    pq.write_table(pa.table({"x": pa.nulls(rows, pa.float64())}), file)
    return file.getvalue()


class TestRows:
    @pytest.mark.parametrize(
        ("content", "form"),
        [(b"x\n" + b"1\n" * (MOST + 1), "csv"), (b"{}\n" * (MOST + 1), "jsonl"), (nothing(3_000_000), "parquet")],
    )
    async def test_more_rows_than_a_tenant_may_have_are_refused(
        self, objects: ObjectStore, settings: ServingSettings, content: bytes, form: Form
    ) -> None:
        report = await split(objects, settings, content, form)
        assert isinstance(report, Unreadable)
        assert "more than 1000 rows" in report.reason

    async def test_as_many_are_taken(self, objects: ObjectStore, settings: ServingSettings) -> None:
        report = await split(objects, settings, b"x\n" + b"1\n" * MOST, "csv")
        assert isinstance(report, Split)
        assert sum(chunk.items for chunk in report.chunks) == MOST


class TestHeader:
    async def test_names_that_are_too_long_for_every_chunk_are_refused(
        self, objects: ObjectStore, settings: ServingSettings
    ) -> None:
        report = await split(objects, settings, b"x," + b"y" * 300_000 + b"\n1,2\n", "csv")
        assert isinstance(report, Unreadable)
        assert "in its first 262144 bytes" in report.reason
