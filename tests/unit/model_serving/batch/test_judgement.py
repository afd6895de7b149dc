"""What outputs say of how sure they are."""

from typing import Any

import pytest

from services.model_serving.batch.review.judgement import Judgement, judge
from services.model_serving.batch.scoring.classes import ranked
from services.model_serving.batch.scoring.wishes import Wishes

BOX = {"xmin": 1, "ymin": 2, "xmax": 3, "ymax": 4}


class TestJudge:
    @pytest.mark.parametrize(
        ("output", "label", "confidence"),
        [
            ({"label": "cat", "confidence": 0.7}, "cat", 0.7),
            ({"label": "cat", "score": 1}, "cat", 1.0),
            ({"label": 3, "probability": 0.0, "more": "of it"}, 3, 0.0),
            ([{"label": "dog", "score": 0.2}, {"label": "cat", "score": 0.8}], "cat", 0.8),
            ({"probabilities": {"cat": 0.75, "dog": 0.25}}, "cat", 0.75),
            ({"probabilities": [0.25, 0.75]}, 1, 0.75),
            ([0.1, 0.2, 0.7], 2, 0.7),
            ({"cat": 0.1, "dog": 0.9}, "dog", 0.9),
            (ranked({"dark": 0.3, "bright": 0.7}, Wishes(threshold=0.9)), "bright", 0.7),
        ],
    )
    def test_an_answer(self, output: Any, label: Any, confidence: float) -> None:
        assert judge(output) == Judgement(label, confidence)

    def test_objects_in_an_image_are_as_sure_as_the_least_sure_one(self) -> None:
        found = [{"label": "cat", "score": 0.9, "box": BOX}, {"label": "dog", "score": 0.4, "box": BOX}]
        assert judge(found) == Judgement(found, 0.4)
        assert judge({"width": 9, "height": 9, "detections": found}) == Judgement(found, 0.4)

    @pytest.mark.parametrize(
        "output",
        [
            None,
            1.5,
            "cat",
            True,
            [],
            {},
            [1.0],
            [0.5, 0.6],
            [0.5, 0.5, None],
            [True, False],
            {"label": "cat"},
            {"confidence": 0.5},
            {"label": "cat", "confidence": 7},
            {"label": "cat", "confidence": True},
            {"label": "cat", "confidence": "0.5"},
            [{"label": "cat", "score": 0.9}, {"label": "dog"}],
            [{"label": "cat", "score": 0.9}, 1],
            {"prediction": 1.0},
            {"width": 1, "height": 0, "detections": []},
            {"probabilities": {"probabilities": [0.5, 0.5]}},
        ],
    )
    def test_nothing(self, output: Any) -> None:
        assert judge(output) is None
