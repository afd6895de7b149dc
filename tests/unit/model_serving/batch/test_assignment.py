"""What goes over the pipe comes out as it went in."""

import pytest

from services.model_serving.batch.scoring.assignment import (
    Assignment,
    ChunkSpec,
    Finished,
    ItemResult,
    Report,
    Scored,
    Split,
    Stopped,
    Unavailable,
    Unloadable,
    Unreadable,
    UnsureRow,
    Written,
    read_report,
    write_report,
)
from services.model_serving.batch.scoring.tasks import KINDS, find_task, refuse
from services.model_serving.engine.identity import ModelIdentity

MODEL = ModelIdentity("model", "1", key="key", digest=None, run_id=None)


class TestAssignment:
    @pytest.mark.parametrize("source", [None, {"type": "files", "first": 3}])
    def test_it_comes_out_as_it_went_in(self, source: dict | None) -> None:
        assignment = Assignment(MODEL, {"top": 3}, [3, 5], b'["\xc3\xa4", 1]', source, "split", "tenant", "job", 0.5)
        assert Assignment.read(assignment.write()) == assignment


class TestReport:
    @pytest.mark.parametrize(
        "report",
        [
            Split([ChunkSpec({"key": "a"}, 3), ChunkSpec({"key": "b"}, kind="split")]),
            Split([]),
            Scored([ItemResult(3, "succeeded", "1", None), ItemResult(4, "failed", None, "{}")], 2),
            Written("key", 2, [ItemResult(4, "failed", None, "{}")], 7, [UnsureRow(3, "{}", "[0.5, 0.5]", 0.5)]),
            Finished({"items": 3}),
            Unreadable("no zip"),
            Unloadable("no model"),
            Stopped(),
        ],
    )
    def test_it_comes_out_as_it_went_in(self, report: Report) -> None:
        assert read_report(write_report(report)) == report


class TestTask:
    def test_it_goes_by_the_kind_and_by_the_source(self) -> None:
        assert find_task(Assignment(MODEL, {}, [0], b"[1]")) is KINDS["score"]
        assert find_task(Assignment(MODEL, {}, [], b"", {"type": "unheard of"}, "split")) is refuse
        assert find_task(Assignment(MODEL, {}, [], b"", {}, "finish")) is refuse

    def test_of_what_is_unknown_only_the_end_can_wait(self) -> None:
        assert isinstance(refuse(Assignment(MODEL, {}, [], b"", {}, "split"), None), Unreadable)
        assert isinstance(refuse(Assignment(MODEL, {}, [], b"", {}, "finish"), None), Unavailable)
