"""The rules that metrics are held against."""

import pytest

from mlplatform.registry.metric_rules import MetricRule, floors, read_rules


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
        rules = {"rmse": MetricRule(greater_is_better=False, max_relative_degradation=0.1)}
        assert floors(rules, {}) == {"rmse": None}
