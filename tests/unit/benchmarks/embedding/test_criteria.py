from benchmarks.embedding.criteria import judge
from benchmarks.embedding.names import LIBRARY, NAME
from tests.unit.benchmarks.embedding.results import result

SPEED, PADDING, QUERY, QUALITY = range(4)


class TestJudge:
    def test_ratio_is_that_of_the_rounds_against_one_call_of_the_library(self):
        speed = judge(result())[SPEED]
        assert (speed["seen"], speed["passed"], speed["aimed"]) == (10.0, True, False)
        assert speed["remark"] == "500 against 50 texts/s"

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
