"""The page of a report."""

from datetime import UTC, datetime
from uuid import UUID

from services.model_serving.batch.report.answers import Answers
from services.model_serving.batch.report.page import render_report
from services.model_serving.batch.report.schemas import BatchReport

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>"


def report(answers: Answers) -> BatchReport:
    return BatchReport.model_validate(
        {
            "job": UUID(int=1),
            "model": "model",
            "version": "1",
            "state": "completed",
            "counts": {"items": 1234, "succeeded": 1200, "failed": 34, "cancelled": 0, "retries": 0},
            "errors": {HOSTILE: 34},
            "times": {
                "created_at": NOW,
                "started_at": None,
                "finished_at": None,
                "wait_seconds": None,
                "run_seconds": None,
                "items_per_second": None,
            },
            "answers": answers.summary(),
            "drift": {"status": "no_reference", "rows": 0, "alarm": False, "columns": []},
        }
    )


class TestRender:
    def test_what_callers_chose_is_text(self) -> None:
        answers = Answers()
        for output in ({"label": HOSTILE, "confidence": 1.0}, 1.5, 2.5):
            answers.add(output)
        page = render_report(report(answers))
        assert "<script" not in page
        assert page.count("&lt;script&gt;") == 2
        assert "1,200" in page
        assert "<svg" in page

    def test_nothing_to_show(self) -> None:
        assert "no answers" in render_report(report(Answers()))


class TestAnswers:
    def test_objects_in_images_count_each(self) -> None:
        answers = Answers()
        answers.add([{"label": name, "score": 0.9, "box": {}} for name in ("cat", "cat", "dog")])
        assert answers.summary()["classes"] == {"cat": 2, "dog": 1}

    def test_classes_by_their_place(self) -> None:
        answers = Answers()
        answers.add([0.25, 0.75])
        assert answers.summary()["classes"] == {"1": 1}

    def test_the_most_frequent_ones(self) -> None:
        answers = Answers()
        for number in range(60):
            for _ in range(number + 1):
                answers.add(f"label {number}")
        summary = answers.summary()
        assert len(summary["classes"]) == 50
        assert sum(summary["classes"].values()) + summary["other_classes"] == summary["answers"] == 60 * 61 // 2

    def test_numbers_however_large(self) -> None:
        answers = Answers()
        for output in (1e308, -1e308, float("inf"), float("nan"), 10**400):
            answers.add(output)
        assert answers.summary()["numbers"] is None
