"""Quality from labels."""

import json
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score

from services.model_serving.monitoring.quality import classification, find_task, match, measure, predicted, regression


def row(predictions: Any, label: Any, *, position: int = 0, **changes: Any) -> dict[str, Any]:
    base = {"version": "1", "route": "primary", "positions": None, "whole": False, "position": position}
    return base | {"predictions": json.dumps(predictions), "label": json.dumps(label)} | changes


class TestPredicted:
    def test_is_the_value_of_the_row(self) -> None:
        assert predicted(row({"prediction": [1, 2, 3]}, 0, position=2)) == 3

    def test_is_a_record_where_there_are_several_columns(self) -> None:
        assert predicted(row({"x": [1, 2], "y": [3, 4]}, 0, position=1)) == {"x": 2, "y": 4}

    def test_is_looked_up_by_place_where_rows_were_picked(self) -> None:
        assert predicted(row({"prediction": [7, 8]}, 0, position=50, positions=[0, 50])) == 8
        assert predicted(row({"prediction": [7, 8]}, 0, position=49, positions=[0, 50])) is None

    def test_is_everything_for_a_history(self) -> None:
        assert predicted(row({"day": [1, 2], "y": [3, 4]}, 0, whole=True)) == [{"day": 1, "y": 3}, {"day": 2, "y": 4}]


class TestMatch:
    @pytest.mark.parametrize(
        ("prediction", "label", "pairs"),
        [
            (1.5, 2, [(1.5, 2)]),
            ("a", "b", [("a", "b")]),
            ([1, 2], [3, 4], [(1, 3), (2, 4)]),
            ({"x": 1, "y": 2}, {"y": 5}, [(2, 5)]),
            ([{"x": 1}], [{"x": 3}], [(1, 3)]),
            ([1, 2], [3], []),
            (None, 1, []),
            (1, {"x": 1}, []),
        ],
    )
    def test_pairs_what_stands_in_the_same_place(self, prediction: object, label: object, pairs: list) -> None:
        assert list(match(prediction, label)) == pairs


class TestTask:
    @pytest.mark.parametrize(
        ("pairs", "declared", "task"),
        [
            ([("a", "b")], None, "classification"),
            ([(True, False)], None, "classification"),
            ([(1, 0), (1, 1)], None, "classification"),
            ([(1.5, 1)], None, "regression"),
            ([(float(number), number) for number in range(100)], None, "regression"),
            ([(1, 0)], "regression", "regression"),
            ([(1.5, 2.5)], "classification", "classification"),
        ],
    )
    def test_follows_from_the_values_unless_declared(self, pairs: list, declared: str | None, task: str) -> None:
        assert find_task(pairs, declared) == task


class TestFigures:
    def test_accuracy_and_f1_are_sklearns(self) -> None:
        generator = np.random.default_rng(1)
        labels = generator.integers(0, 3, 400)
        predictions = np.where(generator.random(400) < 0.8, labels, (labels + 1) % 3)
        figures = classification(list(zip(predictions.tolist(), labels.tolist(), strict=True)))
        assert figures["accuracy"].value == pytest.approx((predictions == labels).mean())
        assert figures["f1"].value == pytest.approx(f1_score(labels, predictions, average="macro"))
        for figure in figures.values():
            assert figure.low < figure.value < figure.high
            assert figure.high - figure.low < 0.15

    def test_one_label_has_an_interval(self) -> None:
        assert classification([(1, 1)])["accuracy"].low < 0.5
        assert regression([(1.0, 2.0)])["mae"].value == 1.0

    def test_intervals_of_errors_hold_the_truth_about_as_often_as_they_say(self) -> None:
        generator = np.random.default_rng(2)
        held = 0
        for _ in range(200):
            errors = generator.normal(0.3, 1.0, 80)
            figure = regression([(float(error), 0.0) for error in errors])["bias"]
            held += figure.low <= 0.3 <= figure.high
        assert 178 <= held <= 199


class TestMeasure:
    def test_routes_are_measured_apart(self) -> None:
        rows = [row({"prediction": [1]}, 1), row({"prediction": [1]}, 0, route="canary")]
        found = {quality.route: quality for quality in measure(rows, {})}
        assert found["primary"].metrics["accuracy"].value == 1.0
        assert found["canary"].metrics["accuracy"].value == 0.0

    def test_a_label_of_another_form_is_counted_and_not_measured(self) -> None:
        [quality] = measure([row({"prediction": [1]}, {"x": 1})], {})
        assert (quality.labels, quality.incomparable, quality.metrics) == (0, 1, {})

    def test_a_figure_too_large_for_a_number_is_left_out(self) -> None:
        [quality] = measure([row({"prediction": [1.5]}, 1e300), row({"prediction": [1.5]}, 2.5)], {})
        assert quality.labels == 2
        assert "rmse" not in quality.metrics
        assert all(figure.is_finite for figure in quality.metrics.values())
