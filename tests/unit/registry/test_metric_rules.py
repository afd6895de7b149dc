"""The rules that metrics are held against."""

import pytest

from mlplatform.registry.metric_rules import MetricRule, read_rules


class TestReadRules:
    def test_reads_what_the_tag_holds(self):
        rules = read_rules('{"rmse": {"greater_is_better": false, "threshold": 1, "max_relative_degradation": 0.02}}')
        assert rules == {"rmse": MetricRule(greater_is_better=False, threshold=1.0, max_relative_degradation=0.02)}

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            ("rmse<1", "Invalid JSON"),
            ("[]", "should be an object"),
            ('{"rmse": {}}', r"rmse\.greater_is_better: Field required"),
            ('{"rmse": {"greater_is_better": "no"}}', r"rmse\.greater_is_better"),
            ('{"rmse": {"greater_is_better": false, "treshold": 1}}', r"rmse\.treshold: Extra inputs"),
            ('{"rmse": {"greater_is_better": false, "max_relative_degradation": -1}}', "greater than or equal to 0"),
            ('{"rmse": {"greater_is_better": false, "threshold": NaN}}', "finite"),
        ],
    )
    def test_says_what_is_wrong(self, text, complaint):
        with pytest.raises(ValueError, match=complaint):
            read_rules(text)


class TestFloor:
    @pytest.mark.parametrize(
        ("greater_is_better", "threshold", "degradation", "baseline", "expected"),
        [
            (True, 0.5, None, None, 0.5),
            (True, 0.5, 0.1, 1.0, 0.9),
            (True, 0.95, 0.1, 1.0, 0.95),
            (True, None, 0.1, -1.0, -1.1),
            (False, None, 0.1, 1.0, 1.1),
            (False, 1.05, 0.1, 1.0, 1.05),
            (False, None, 0.0, 2.0, 2.0),
            (False, None, 0.1, -1.0, -0.9),
        ],
    )
    def test_is_the_strictest_limit(self, greater_is_better, threshold, degradation, baseline, expected):
        rule = MetricRule(
            greater_is_better=greater_is_better, threshold=threshold, max_relative_degradation=degradation
        )
        floor = rule.floor(baseline)
        assert floor is not None
        assert floor.threshold == pytest.approx(expected)
        assert floor.greater_is_better is greater_is_better

    def test_a_comparison_with_nothing_asks_nothing(self):
        rule = MetricRule(greater_is_better=False, max_relative_degradation=0.1)
        assert rule.floor(None) is None
        assert rule.limit(None) is None

    def test_a_rule_that_says_nothing_of_production_asks_to_be_no_worse(self):
        floor = MetricRule(greater_is_better=True, threshold=0.5).floor(0.8)
        assert floor is not None
        assert floor.threshold == 0.8

    def test_null_asks_nothing_of_production(self):
        rule = read_rules('{"auc": {"greater_is_better": true, "max_relative_degradation": null}}')["auc"]
        assert rule.floor(0.8) is None
        assert not rule.compares

    def test_the_stricter_of_two_degradations_counts(self):
        rule = MetricRule(greater_is_better=True, max_relative_degradation=0.5, max_absolute_degradation=0.1)
        floor = rule.floor(1.0)
        assert floor is not None
        assert floor.threshold == pytest.approx(0.9)

    def test_an_improvement_is_left_to_mlflow_and_shown_as_a_limit(self):
        rule = MetricRule(greater_is_better=False, min_relative_improvement=0.1, min_absolute_improvement=0.3)
        floor = rule.floor(2.0)
        assert floor is not None
        assert (floor.threshold, floor.min_relative_change, floor.min_absolute_change) == (None, 0.1, 0.3)
        assert rule.limit(2.0) == pytest.approx(1.7)
        assert rule.floor(None) is None
