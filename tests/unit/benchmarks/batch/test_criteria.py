import math

from benchmarks.batch.criteria import judge
from tests.unit.benchmarks.batch.results import result

TABLE, MEMORY, IMAGES, SCORER, FIRST, FAIRNESS = range(6)


class TestJudge:
    def test_everything_that_was_measured_is_judged(self):
        judged = judge(result())
        assert [entry["seen"] for entry in judged] == [0.9, 390.0, 0.95, 0.95, 0.11, 2.2]
        assert all(entry["passed"] for entry in judged)

    def test_a_part_that_was_not_measured_is_neither_passed_nor_missed(self):
        given = result()
        del given["fairness"]
        assert judge(given)[FAIRNESS]["passed"] is None

    def test_speed_with_other_answers_counts_for_nothing(self):
        given = result()
        given["table"]["same_answers"] = False
        seen = judge(given)[TABLE]
        assert math.isnan(seen["seen"])
        assert seen["passed"] is False

    def test_a_backlog_that_did_not_last_proves_no_fairness(self):
        given = result()
        given["fairness"]["backlog_lasted"] = False
        assert judge(given)[FAIRNESS]["passed"] is False

    def test_memory_is_that_of_the_largest_process(self):
        given = result()
        given["table"]["memory_mb"]["scorer"] = [380.0, 601.0]
        assert judge(given)[MEMORY]["passed"] is False
