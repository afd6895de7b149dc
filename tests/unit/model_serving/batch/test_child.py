"""A process that scores says what went wrong, and does not die of it."""

from dataclasses import replace
from multiprocessing import Pipe
from typing import Any

import pytest

from mlplatform.errors import NotFound
from services.model_serving.batch.scoring import tasks
from services.model_serving.batch.scoring.assignment import Assignment, Report, Stopped, Unloadable, Unreadable
from services.model_serving.batch.scoring.bench import Bench
from services.model_serving.batch.scoring.child import Scorer
from services.model_serving.engine.identity import ModelIdentity

ASSIGNMENT = Assignment(ModelIdentity("model", "1", key="key", digest=None, run_id=None), {}, (0,), b"[1]")


class Broken:
    """Models none of which can be loaded."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def knows(self, _: ModelIdentity) -> bool:
        return False

    def get(self, _: ModelIdentity) -> Any:
        raise self._error


def worked(models: Any) -> Report:
    ours, theirs = Pipe()
    with ours, theirs:
        return Scorer(theirs, models, None)._work(ASSIGNMENT)


class TestLoading:
    def test_files_of_a_model_that_are_missing_are_named(self) -> None:
        report = worked(Broken(FileNotFoundError(2, "No such file or directory", "weights.bin")))
        assert isinstance(report, Unloadable)
        assert "weights.bin" in report.reason

    def test_who_asked_is_gone(self) -> None:
        with pytest.raises(BrokenPipeError):
            worked(Broken(BrokenPipeError()))


class TestTask:
    def test_what_is_refused_for_all_items_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def gone(_: Assignment, __: Bench) -> Report:
            raise NotFound("There is no such object.")

        monkeypatch.setitem(tasks.KINDS, "score", gone)
        assert worked(None) == Unreadable("There is no such object.")

    def test_chunks_of_a_job_have_a_shelf_that_is_empty_for_the_next_job(self, monkeypatch: pytest.MonkeyPatch) -> None:
        fetched: list[str] = []

        def read(assignment: Assignment, bench: Bench) -> Report:
            def fetch() -> bytes:
                fetched.append(assignment.job)
                return b"content"

            bench.shelf.get("key", fetch)
            return Stopped()

        monkeypatch.setitem(tasks.KINDS, "score", read)
        ours, theirs = Pipe()
        with ours, theirs:
            scorer = Scorer(theirs, None, None)
            for job in ("first", "first", "second"):
                scorer._work(replace(ASSIGNMENT, job=job))
        assert fetched == ["first", "second"]
