"""Rows that are never looked at, since what they are in cannot be read, fail with that as their reason."""

import asyncio

import orjson
import pytest

from services.model_serving.batch.scoring.assignment import Assignment, Written
from services.model_serving.batch.scoring.bench import Bench
from services.model_serving.batch.tables.source import TableFile, TablePart
from services.model_serving.batch.tables.tasks import score_table
from services.model_serving.settings import ServingSettings
from tests.integration.model_serving.batch.orders import MODEL
from tests.unit.model_serving.doubles import model_of

FILE = TableFile("batch/uploads/1/0", "csv")


@pytest.mark.usefixtures("objects")
class TestPart:
    @pytest.mark.parametrize(
        ("fault", "reason"), [("The row is too long.", "The row is too long."), (None, "not there any more")]
    )
    async def test_each_of_its_rows_that_is_asked_for(
        self, settings: ServingSettings, fault: str | None, reason: str
    ) -> None:
        part = TablePart(FILE, 0, 30, 5, header=("x",), fault=fault)
        source = part.describe() | {"first": 10}
        assignment = Assignment(MODEL, {}, [11, 14], b"", source, "score", "a", "1")
        report = await asyncio.to_thread(score_table, assignment, Bench(model_of, lambda: None, settings))
        assert isinstance(report, Written)
        assert (report.key, report.succeeded) == (None, 0)
        assert [one.item for one in report.failures] == [11, 14]
        errors = [orjson.loads(one.error or "") for one in report.failures]
        assert {error["code"] for error in errors} == {"unreadable_input"}
        assert all(reason in error["detail"] for error in errors)
