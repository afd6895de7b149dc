from benchmarks.embedding.criteria import judge
from benchmarks.embedding.names import LIBRARY, NAME
from tests.unit.benchmarks.embedding.results import result

SPEED, SPEED_SORTED, PADDING, QUERY, QUALITY = range(5)


class TestJudge:
    def test_ratios_are_those_of_the_rounds_against_both_ways_to_call_the_library(self):
        judged = judge(result())
        as_they_come, sorted_first = judged[SPEED], judged[SPEED_SORTED]
        assert (as_they_come["seen"], as_they_come["passed"], as_they_come["aimed"]) == (20.0, True, True)
        assert as_they_come["remark"] == "500 against 25 texts/s"
        assert (sorted_first["seen"], sorted_first["passed"], sorted_first["aimed"]) == (10.0, True, False)
        assert sorted_first["remark"] == "500 against 50 texts/s"

    def test_less_is_better_for_padding_and_time(self):
        judged = judge(result())
        assert judged[PADDING]["aimed"]
        assert (judged[QUERY]["seen"], judged[QUERY]["passed"], judged[QUERY]["aimed"]) == (3.0, True, False)
        assert judged[QUERY]["remark"].startswith("12 tokens, p95 6 ms")

    def test_vectors_that_find_less_miss_the_target(self):
        given = result()
        given["ndcg_at_10"] |= {NAME: 0.39, LIBRARY: 0.4}
        assert judge(given)[QUALITY]["passed"] is False

    def test_quality_that_was_not_measured_is_neither_passed_nor_missed(self):
        given = result()
        del given["ndcg_at_10"]
        assert judge(given)[QUALITY]["passed"] is None
