import pytest

from benchmarks.search.criteria import CRITERIA, judge
from benchmarks.search.service import NAME
from tests.unit.benchmarks.search.results import result


def by_name(judged: list[dict[str, object]]) -> dict[str, dict[str, object]]:
    return {str(entry["what"]): entry for entry in judged}


class TestJudge:
    def test_good_run_reaches_every_aim(self):
        assert all(entry["aimed"] for entry in judge(result()))

    def test_worst_size_counts(self):
        given = result()
        given["sizes"]["100000"]["contenders"][NAME]["filters"]["hundredth"]["recall_at_10"] = 0.94
        judged = by_name(judge(given))
        missed = judged["recall@10 against exact, filter that 1 % meet"]
        assert (missed["seen"], missed["passed"]) == (0.94, False)
        assert judged["recall@10 against exact, filter that 10 % meet"]["passed"]

    def test_other_stores_do_not_count(self):
        given = result()
        given["sizes"]["10000"]["contenders"]["chroma"]["filters"]["all"]["short_answers"] = 5
        assert all(entry["aimed"] for entry in judge(given))

    @pytest.mark.parametrize("part", ["filters", "queries"])
    def test_one_short_answer_is_too_many(self, part):
        given = result()
        own = given["sizes"]["10000"]["contenders"][NAME]
        if part == "filters":
            own["filters"]["tenth"]["short_answers"] = 1
        else:
            own["queries"]["vector"]["short"] = 1
        short = by_name(judge(given))["answers shorter than asked while enough items match"]
        assert (short["seen"], short["passed"]) == (1, False)

    def test_time_is_that_of_its_size(self):
        judged = by_name(judge(result()))
        assert judged["hybrid query at 100,000 items, p95, embedding included"]["seen"] == 14
        assert judged["the same at 1,000,000 items"]["seen"] == 58

    def test_size_that_was_not_measured_is_neither_passed_nor_missed(self):
        given = result()
        del given["sizes"]["1000000"]
        entry = by_name(judge(given))["the same at 1,000,000 items"]
        assert (entry["seen"], entry["passed"]) == (None, None)

    def test_run_without_the_platform_says_nothing(self):
        given = result()
        for figures in given["sizes"].values():
            del figures["contenders"][NAME]
        judged = judge(given)
        assert len(judged) == len(CRITERIA)
        assert {entry["seen"] for entry in judged} == {None}

    def test_run_that_ended_before_indexing(self):
        given = result()
        for figures in given["sizes"].values():
            del figures["contenders"][NAME]["indexing"]
        assert by_name(judge(given))["bulk rate without embedding"]["seen"] is None
