"""How soon watchers learn of a change."""

import pytest

from services.model_serving.batch.jobs.events import LATEST, SHARE, SOONEST, pause


class TestPause:
    def test_the_end_of_a_short_job_is_told_soon(self) -> None:
        assert pause(0.0) == pause(SOONEST / SHARE) == pytest.approx(SOONEST)

    @pytest.mark.parametrize("age", [1.0, 2.0, 5.0])
    def test_no_more_is_waited_for_nothing_than_a_part_of_the_time(self, age: float) -> None:
        assert pause(age) == pytest.approx(SHARE * age)

    def test_long_jobs_are_looked_at_seldom(self) -> None:
        assert pause(3600.0) == LATEST
