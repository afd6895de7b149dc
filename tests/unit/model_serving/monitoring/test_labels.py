"""What labels may be, and which rows they are of."""

import pytest
from pydantic import ValidationError

from services.model_serving.monitoring.labels.schemas import FeedbackItem


def nested(levels: int) -> object:
    label: object = 1
    for _ in range(levels):
        label = [label]
    return label


class TestBounds:
    @pytest.mark.parametrize("label", [1e300, -1e300, float("nan"), float("inf"), 10**400, {"x": [1e300]}, nested(30)])
    @pytest.mark.parametrize("field", ["label", "labels"])
    def test_a_label_that_cannot_be_measured_is_refused_by_name(self, field: str, label: object) -> None:
        with pytest.raises(ValidationError) as refused:
            FeedbackItem.model_validate({"request_id": "a", field: [label] if field == "labels" else label})
        assert refused.value.errors()[0]["loc"][0] == field

    @pytest.mark.parametrize("value", [1e300, -1e300])
    def test_a_value_has_the_same_bounds(self, value: float) -> None:
        with pytest.raises(ValidationError, match="value"):
            FeedbackItem(request_id="a", value=value)

    @pytest.mark.parametrize("label", [1e100, -5, True, "text", {"x": [1, None]}, nested(5)])
    def test_labels_of_models_pass(self, label: object) -> None:
        assert FeedbackItem(request_id="a", label=label).label == label
