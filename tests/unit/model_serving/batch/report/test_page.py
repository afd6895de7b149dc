"""The page of a report."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from services.model_serving.batch.report.answers import Answers
from services.model_serving.batch.report.page import render_report
from services.model_serving.batch.report.schemas import BatchReport, ReportTimes
from services.model_serving.batch.report.times import percentiles

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BEFORE = {
    "created_at": NOW,
    "started_at": None,
    "finished_at": None,
    "wait_seconds": None,
    "run_seconds": None,
    "items_per_second": None,
}
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
            "times": BEFORE
            | {
                "chunk_seconds": {"p50": 1.25, "p95": 77.7},
                "item_seconds": {"p50": 0.0125, "p95": 0.777},
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
        assert "77.7 s</b><span>for a chunk, 95 in 100" in page
        assert "0.0125 s</b><span>for an item, half of them" in page
        assert "<svg" in page

    def test_texts_that_were_cut(self) -> None:
        answers = Answers()
        for truncated in (True, False, True):
            answers.add({"label": "a", "confidence": 0.5, "truncated": truncated})
        assert "<b>2</b><span>texts were cut" in render_report(report(answers))
        assert "texts were cut" not in render_report(report(Answers()))

    def test_answers_that_have_no_class_and_are_no_number(self) -> None:
        answers = Answers()
        for number in range(1234):
            answers.add({"length": number, "words": []})
        assert "1,234 answers are neither classes nor numbers" in render_report(report(answers))
        assert "neither classes" not in render_report(report(Answers()))

    def test_nothing_to_show(self) -> None:
        assert "no answers" in render_report(report(Answers()))

    def test_a_report_of_before_all_of_that_was_counted(self) -> None:
        earlier = report(Answers())
        content = earlier.model_dump()
        del content["answers"]["truncated"], content["answers"]["uncounted"]
        assert "texts were cut" not in render_report(BatchReport.model_validate(content))

    def test_a_report_of_before_there_were_percentiles(self) -> None:
        earlier = report(Answers())
        page = render_report(earlier.model_copy(update={"times": ReportTimes.model_validate(BEFORE)}))
        assert "95 in 100" not in page


class TestPercentiles:
    def test_of_a_hundred(self) -> None:
        assert percentiles([(1, float(number)) for number in range(100, 0, -1)]) == {"p50": 50.0, "p95": 95.0}

    def test_of_as_many_as_each_counts_for(self) -> None:
        assert percentiles([(90, 0.1), (9, 2.0), (1, 50.0)]) == {"p50": 0.1, "p95": 2.0}

    def test_of_one(self) -> None:
        assert percentiles([(3, 0.5)]) == {"p50": 0.5, "p95": 0.5}

    def test_of_none(self) -> None:
        assert percentiles([]) is None


class TestAnswers:
    def test_objects_in_images_count_each(self) -> None:
        answers = Answers()
        answers.add([{"label": name, "score": 0.9, "box": {}} for name in ("cat", "cat", "dog")])
        assert answers.summary()["classes"] == {"cat": 2, "dog": 1}

    def test_classes_by_their_place(self) -> None:
        answers = Answers()
        answers.add([0.25, 0.75])
        assert answers.summary()["classes"] == {"1": 1}

    @pytest.mark.parametrize(("label", "name"), [("cat", "cat"), (3, "3"), (True, "True"), (1.0, "1.0")])
    def test_objects_by_their_label(self, label: object, name: str) -> None:
        answers = Answers()
        answers.add({"label": label, "confidence": 0.5})
        answers.add({"label": label, "length": 7})
        summary = answers.summary()
        assert (summary["classes"], summary["uncounted"], summary["confidence"][5]) == ({name: 2}, 0, 1)

    @pytest.mark.parametrize(
        "output", [{"length": 7}, {"label": {"length": 7}}, [1.5, 2.5], [{"box": {}}], [{"label": None}], None]
    )
    def test_what_has_none_is_said_to_have_none(self, output: object) -> None:
        answers = Answers()
        answers.add(output)
        summary = answers.summary()
        assert (summary["classes"], summary["numbers"], summary["uncounted"]) == ({}, None, 1)

    @pytest.mark.parametrize("output", [[], {"detections": []}])
    def test_an_image_in_which_nothing_was_found_is_an_answer(self, output: object) -> None:
        answers = Answers()
        answers.add(output)
        assert answers.summary()["uncounted"] == 0

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
