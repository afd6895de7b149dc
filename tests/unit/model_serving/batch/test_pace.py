"""What is remembered of the time that items take."""

import pytest

from services.model_serving.batch.scoring.pace import GROWTH, MOST_KNOWN, Pace, Paces


class TestPaces:
    def test_jobs_have_their_own(self) -> None:
        paces = Paces()
        paces.of("slow", "work").note(1, 9.0)
        assert not paces.of("slow", "work").suffices(1, 1.0)
        paces.of("fast", "work").note(1, 0.1)
        assert paces.of("fast", "work").suffices(1, 1.0)

    def test_jobs_of_long_ago_are_forgotten(self) -> None:
        paces = Paces()
        kept, gone = paces.of("kept", "work"), paces.of("gone", "work")
        for number in range(MOST_KNOWN - 1):
            paces.of(str(number), "work")
            assert paces.of("kept", "work") is kept
        assert paces.of("gone", "work") is not gone

    def test_a_new_job_begins_by_what_is_known_of_others(self) -> None:
        paces = Paces()
        paces.of("first", "work").note(1, 0.001)
        assert begins(paces.of("same", "work")) == GROWTH
        assert begins(paces.of("other", "other work")) == 1

    def test_a_job_of_dear_items_is_not_forgotten_for_those_of_cheap_ones(self) -> None:
        paces = Paces()
        paces.of("dear", "work").note(1, 0.5)
        for number in range(10):
            paces.of(str(number), "work").note(1, 0.001)
        assert begins(paces.of("new", "work")) == 1

    def test_what_splitting_a_table_takes_tells_nothing_of_scoring_it(self) -> None:
        paces = Paces()
        paces.of("job", "split").note(1, 0.001)
        paces.of("job", "score").note(1, 9.0)
        assert begins(paces.of("new", "score")) == 1
        assert begins(paces.of("new", "split")) == GROWTH

    def test_a_job_of_which_nothing_came_tells_nothing(self) -> None:
        paces = Paces()
        paces.of("begun", "work")
        assert begins(paces.of("new", "work")) == 1


class TestBeginning:
    @pytest.mark.parametrize(
        ("call", "item", "items"), [(0.0, 0.015, GROWTH), (0.0, 0.016, 1), (0.12, 0.0, GROWTH), (0.13, 0.0, 1)]
    )
    def test_items_may_take_many_times_as_long_as_others_within_the_time(
        self, call: float, item: float, items: int
    ) -> None:
        assert Pace((call, item)).fit(1.0, 64, begins=True) == items

    def test_no_more_than_there_are(self) -> None:
        assert Pace((0.0, 0.001)).fit(1.0, 3, begins=True) == 3

    def test_what_the_job_itself_tells_counts_from_then_on(self) -> None:
        pace = Pace((0.0, 0.001))
        pace.note(GROWTH, 0.8)
        assert pace.fit(1.0, 64, begins=True) == 10
        assert not pace.suffices(64, 1.0)


def begins(pace: Pace) -> int:
    """Return how many of many items a job begins with, in a turn of a second."""
    return pace.fit(1.0, 64, begins=True)
