"""What a caller may wish of a classification or a detection."""

from typing import Any

import pytest

from services.model_serving.batch.scoring.media import DETECTIONS, IMAGES, TEXTS
from services.model_serving.batch.scoring.wishes import Wishes
from services.model_serving.errors import InvalidInputs


class TestRead:
    @pytest.mark.parametrize(("task", "most"), [(TEXTS, 1000), (IMAGES, 1000), (DETECTIONS, 300)])
    def test_as_many_as_the_task_allows_and_no_more(self, task: str, most: int) -> None:
        assert Wishes.read({"top_k": most}, task) == Wishes(top_k=most)
        with pytest.raises(InvalidInputs) as caught:
            Wishes.read({"top_k": most + 1}, task)
        (wrong,) = caught.value.errors
        assert (wrong.field, wrong.message) == ("body.params.top_k", f"must be a whole number from 1 to {most}")

    @pytest.mark.parametrize(
        "params", [{"top_k": 0}, {"top_k": True}, {"top_k": 1.5}, {"threshold": 1.1}, {"threshold": "0.5"}, {"x": 1}]
    )
    def test_what_makes_no_sense_is_refused(self, params: dict[str, Any]) -> None:
        with pytest.raises(InvalidInputs) as caught:
            Wishes.read(params, TEXTS)
        assert [wrong.field for wrong in caught.value.errors] == [f"body.params.{name}" for name in params]

    def test_each_that_is_not_known_is_named_with_those_that_are(self) -> None:
        with pytest.raises(InvalidInputs) as caught:
            Wishes.read({"colour": 1, "size": 1}, DETECTIONS)
        assert [wrong.field for wrong in caught.value.errors] == ["body.params.colour", "body.params.size"]
        assert all("they take top_k and threshold" in wrong.message for wrong in caught.value.errors)


class TestAccepted:
    def test_more_than_there_is_of_an_earlier_release_is_all_there_is(self) -> None:
        assert Wishes.accepted({"top_k": 1000, "threshold": 0.1}, DETECTIONS) == Wishes(300, 0.1)
        assert Wishes.accepted({"top_k": 7}, DETECTIONS) == Wishes(7)
        assert Wishes.accepted({}, DETECTIONS) == Wishes()

    @pytest.mark.parametrize("params", [{"top_k": 0}, {"top_k": True}, {"top_k": 1e9}, {"top_k": 1000, "x": 1}])
    def test_what_never_made_sense_is_refused(self, params: dict[str, Any]) -> None:
        with pytest.raises(InvalidInputs):
            Wishes.accepted(params, DETECTIONS)
