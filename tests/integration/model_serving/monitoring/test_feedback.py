"""Labels from their route to the quality of a version."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from mlplatform.database import Database
from mlplatform.errors import Unprocessable
from services.model_serving.monitoring.labels.feedback import Feedback
from services.model_serving.monitoring.labels.schemas import FeedbackItem
from services.model_serving.monitoring.policy import LogPolicies
from tests.integration.model_serving.monitoring.watched import Watched, watched
from tests.integration.model_serving.publisher import Publisher, frame_of


class Experiment:
    """Takes outcomes down."""

    def __init__(self) -> None:
        self.outcomes: list[tuple[str, str, float]] = []
        self.versions: list[object] = []

    def record_outcome(self, model: str, arm: str, value: float, **context: object) -> None:
        if value < 0:
            raise Unprocessable("The metric cannot be negative.")
        self.outcomes.append((model, arm, value))
        self.versions.append(context["version"])


def feedback_of(database: Database, experiment: Experiment) -> Feedback:
    return Feedback(database, LogPolicies(lambda _: None, 1.0), experiment, horizon=timedelta(days=30))


class TestGiveFeedback:
    async def test_a_label_is_stored_once(self, service: Watched) -> None:
        request_id = await service.ask(frame_of(1))
        await service.written()
        item = {"request_id": request_id, "label": 1.5}
        assert [found["status"] for found in await service.feedback(item)] == ["stored"]
        assert [found["status"] for found in await service.feedback(item)] == ["unchanged"]
        assert [found["status"] for found in await service.feedback(item | {"label": 2.5})] == ["updated"]

    async def test_a_label_may_hold_any_text(self, service: Watched) -> None:
        request_id = await service.ask(frame_of(1))
        await service.written()
        for text in ("\\u0000", "\0"):
            content = json.dumps({"request_id": request_id, "label": {"text": text, text: 10**30}})
            answer = await service.client.post(
                "/api/v1/feedback", content=content, headers={"Content-Type": "application/json"}
            )
            assert answer.json()["accepted"] == 1

    async def test_an_id_that_was_used_again_means_its_newest_answer(self, service: Watched) -> None:
        for rows in (3, 1):
            await service.ask(frame_of(rows), **{"X-Request-ID": "again"})
            await service.written()
        [found] = await service.feedback({"request_id": "again", "label": 1})
        assert found["status"] == "stored"

    async def test_a_label_of_a_newer_answer_takes_the_place_of_the_older_one(self, service: Watched) -> None:
        experiment = Experiment()
        feedback = feedback_of(service.database, experiment)
        answered = []
        for item in ({"label": 1, "value": 2.0}, {"value": 3.0}):
            await service.ask(frame_of(1), **{"X-Request-ID": "again"})
            await service.written()
            answered.append((await service.logged())[-1]["at"])
            [found] = await feedback.take("default", [FeedbackItem(request_id="again", **item)])
            assert found.code == 200
        async with service.database.transaction("default") as connection:
            cursor = await connection.execute("SELECT label, value, predicted_at FROM prediction_feedback")
            rows = await cursor.fetchall()
        assert rows == [{"label": None, "value": 3.0, "predicted_at": answered[1]}]
        assert [value for _, _, value in experiment.outcomes] == [2.0, 3.0]

    async def test_a_label_and_a_value_may_come_apart_in_one_call(self, service: Watched) -> None:
        request_id = await service.ask(frame_of(1))
        await service.written()
        await service.feedback({"request_id": request_id, "label": 7}, {"request_id": request_id, "value": 2.5})
        async with service.database.transaction("default") as connection:
            cursor = await connection.execute("SELECT label, value FROM prediction_feedback")
            assert await cursor.fetchall() == [{"label": 7, "value": 2.5}]

    async def test_an_item_may_come_by_itself(self, service: Watched) -> None:
        request_id = await service.ask(frame_of(1))
        await service.written()
        answer = await service.client.post("/api/v1/feedback", json={"request_id": request_id, "label": 1})
        assert (answer.json()["accepted"], answer.json()["refused"]) == (1, 0)

    async def test_rows_are_labelled_together_or_one_by_one(self, service: Watched) -> None:
        request_id = await service.ask(frame_of(3))
        await service.written()
        found = await service.feedback(
            {"request_id": request_id, "labels": [1, None, 3]},
            {"prediction_id": f"{request_id}:1", "label": 2},
            {"prediction_id": f"{request_id}:3", "label": 2},
            {"request_id": request_id, "labels": [1, 2]},
            {"request_id": request_id, "label": 1},
        )
        assert [(one["status"], one["code"]) for one in found] == [
            ("stored", 200),
            ("stored", 200),
            ("invalid", 422),
            ("invalid", 422),
            ("invalid", 422),
        ]

    async def test_an_unknown_request_does_not_fail_its_neighbours(self, service: Watched) -> None:
        request_id = await service.ask(frame_of(1))
        await service.written()
        found = await service.feedback({"request_id": "nobody", "label": 1}, {"request_id": request_id, "label": 1})
        assert [(one["status"], one["code"]) for one in found] == [("unknown", 404), ("stored", 200)]

    async def test_a_request_outside_the_sample_is_told_apart(
        self, settings_env: dict[str, str], publisher: Publisher, tmp_path: Path
    ) -> None:
        async with watched(settings_env, publisher, tmp_path, ML_PREDICTION_LOG_SAMPLE="0") as service:
            request_id = await service.ask(frame_of(1))
            [found] = await service.feedback({"request_id": request_id, "label": 1, "model": service.model})
        assert (found["status"], found["code"]) == ("not_sampled", 404)

    @pytest.mark.parametrize(
        "item",
        [
            {"label": 1},
            {"request_id": "a"},
            {"request_id": "a", "prediction_id": "a:0", "label": 1},
            {"request_id": "a", "label": 1, "labels": [1]},
            {"request_id": "a b", "label": 1},
            {"request_id": "a", "label": 1, "more": 1},
            {"request_id": "a", "label": 1e300},
            {"request_id": "a", "labels": [1, 1e300]},
        ],
    )
    async def test_what_is_no_feedback_is_refused(self, service: Watched, item: dict[str, object]) -> None:
        answer = await service.client.post("/api/v1/feedback", json={"items": [item]})
        assert (answer.status_code, answer.json()["errors"][0]["field"][:12]) == (422, "body.items.0")


class TestTenants:
    async def test_nobody_labels_the_predictions_of_another(self, service: Watched) -> None:
        request_id = await service.ask(frame_of(1))
        await service.written()
        feedback = feedback_of(service.database, Experiment())
        [found] = await feedback.take("other", [FeedbackItem(request_id=request_id, label=1)])
        assert found.status == "unknown"


class TestOutcomes:
    async def test_a_value_counts_once_for_the_arm_that_answered(self, service: Watched) -> None:
        request_id = await service.ask(frame_of(1))
        await service.written()
        experiment = Experiment()
        feedback = feedback_of(service.database, experiment)
        await feedback.take("default", [FeedbackItem(request_id=request_id, label=1)])
        for _ in range(2):
            await feedback.take("default", [FeedbackItem(request_id=request_id, value=9.5)])
        assert experiment.outcomes == [(service.model, "primary", 9.5)]
        assert experiment.versions == [service.version.version]

    async def test_two_values_in_one_call_count_once(self, service: Watched) -> None:
        request_id = await service.ask(frame_of(1))
        await service.written()
        experiment = Experiment()
        items = [FeedbackItem(request_id=request_id, value=value) for value in (1.0, 2.0)]
        await feedback_of(service.database, experiment).take("default", items)
        assert experiment.outcomes == [(service.model, "primary", 2.0)]

    async def test_a_value_that_the_experiment_refuses_is_stored_all_the_same(self, service: Watched) -> None:
        request_id = await service.ask(frame_of(1))
        await service.written()
        feedback = feedback_of(service.database, Experiment())
        [found] = await feedback.take("default", [FeedbackItem(request_id=request_id, value=-1)])
        assert found.status == "stored"
        assert "cannot be negative" in str(found.detail)


class TestQuality:
    async def test_is_measured_where_labels_came_in(self, service: Watched) -> None:
        frame = frame_of(40, seed=4)
        request_id = await service.ask(frame)
        await service.written()
        truth = frame.sum(axis=1) + 0.5
        await service.feedback({"request_id": request_id, "labels": truth.tolist()})
        [window] = (await service.evaluated())["versions"]
        [quality] = window["quality"]
        assert (quality["route"], quality["task"], quality["labels"]) == ("primary", "regression", 40)
        assert quality["metrics"]["mae"]["value"] == pytest.approx(0.5)
        assert quality["metrics"]["bias"]["value"] == pytest.approx(-0.5)
        assert quality["metrics"]["rmse"]["low"] <= 0.5 <= quality["metrics"]["rmse"]["high"] + 1e-9
