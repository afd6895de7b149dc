"""Answers of a job against those of training."""

from typing import Any

import numpy as np
import pandas as pd

from mlplatform.monitoring.objects import object_columns
from mlplatform.monitoring.profile import Profile, make_profile
from services.model_serving.batch.report.drift import compared_part, drift_of
from services.model_serving.monitoring.references import Reference

DETECTIONS = "object-detection"


def found(count: int, most: int, seed: int) -> list[list[tuple[str, float]]]:
    """Return the objects of so many images, some of which nobody is sure of."""
    chance = np.random.default_rng(seed)
    return [
        [(str(chance.choice(["cat", "dog"])), float(chance.uniform(0.1, 1))) for _ in range(chance.integers(most + 1))]
        for _ in range(count)
    ]


def outputs(images: list[list[tuple[str, float]]], threshold: float = 0.5) -> list[dict[str, Any]]:
    """Return them as a job answers."""
    return [
        {
            "width": 64,
            "height": 64,
            "detections": [
                {"label": label, "confidence": confidence, "box": [0.0, 0.0, 9.0, 9.0]}
                for label, confidence in image
                if confidence >= threshold
            ],
        }
        for image in images
    ]


def profile() -> Profile:
    return make_profile(None, pd.DataFrame(object_columns(found(400, 4, seed=1))))


def levels(answers: list[dict[str, Any]], **params: object) -> dict[str, str]:
    compared = drift_of(Reference(profile(), task=DETECTIONS), [], answers, params)
    assert compared["status"] == "compared"
    return {column["name"]: column["level"] for column in compared["columns"]}


class TestObjects:
    def test_the_same_kind_of_images(self) -> None:
        assert levels(outputs(found(300, 4, seed=2))) == dict.fromkeys(("objects", "label", "confidence"), "none")

    def test_a_lower_threshold_adds_nothing_that_is_compared(self) -> None:
        images = found(300, 4, seed=2)
        whole = drift_of(Reference(profile(), task=DETECTIONS), [], outputs(images), {})
        assert drift_of(Reference(profile(), task=DETECTIONS), [], outputs(images, 0.1), {"threshold": 0.1}) == whole

    def test_images_with_more_objects(self) -> None:
        assert levels(outputs(found(300, 12, seed=2)))["objects"] == "major"

    def test_images_with_nothing_in_them(self) -> None:
        assert levels([{"width": 9, "height": 9, "detections": []}] * 300)["objects"] == "major"

    def test_answers_that_leave_out_what_is_certain(self) -> None:
        answers = outputs(found(300, 4, seed=2))
        for params in ({"top_k": 1}, {"threshold": 0.9}):
            compared = drift_of(Reference(profile(), task=DETECTIONS), [], answers, params)
            assert (compared["status"], compared["columns"]) == ("not_comparable", [])

    def test_answers_of_another_form(self) -> None:
        compared = drift_of(Reference(profile(), task=DETECTIONS), [], [{"label": "cat"}] * 300, {})
        assert compared["status"] == "not_comparable"


class TestClasses:
    def test_other_classes_than_in_training(self) -> None:
        trained = pd.DataFrame({"label": ["cat", "dog"] * 200, "confidence": np.linspace(0.5, 1, 400)})
        answers = [{"label": "cat", "confidence": float(share), "top": []} for share in np.linspace(0.5, 1, 300)]
        compared = drift_of(Reference(make_profile(None, trained)), [], answers, {})
        assert {column["name"]: column["level"] for column in compared["columns"]} == {
            "label": "major",
            "confidence": "none",
        }

    def test_what_the_profile_does_not_have_is_left_out(self) -> None:
        reference = Reference(make_profile(None, pd.DataFrame({"label": ["cat"] * 300})))
        assert compared_part(reference, {"label": "cat", "probabilities": {"cat": 0.9}}) == {"label": "cat"}
        assert compared_part(reference, "cat") == "cat"
        of_images = Reference(profile(), task=DETECTIONS)
        answer = outputs(found(1, 4, seed=2))[0]
        assert compared_part(of_images, answer) == answer

    def test_without_a_profile_the_answers_are_counted(self) -> None:
        assert drift_of(Reference(None), [], [], {}, rows=300)["rows"] == 300

    def test_no_column_in_common(self) -> None:
        compared = drift_of(Reference(make_profile(None, pd.DataFrame({"label": ["cat"] * 300}))), [], [1.5] * 300, {})
        assert compared["status"] == "not_comparable"
