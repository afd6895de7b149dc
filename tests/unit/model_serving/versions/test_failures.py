"""When a failed load is tried again."""

from services.model_serving.versions.failures import LONGEST_WAIT, failed


class TestFailed:
    def test_each_attempt_waits_longer_up_to_a_minute(self) -> None:
        failure = failed(None, "2", "broken", first_wait=2.0)
        waits = [failure.seconds_left]
        for _ in range(12):
            failure = failed(failure, "2", "broken", first_wait=2.0)
            waits.append(failure.seconds_left)
        assert failure.attempts == 13
        assert waits[0] <= 2.0 < waits[1] <= 4.0 < waits[2] <= 8.0
        assert waits[-1] <= LONGEST_WAIT

    def test_another_version_starts_over(self) -> None:
        failure = failed(failed(None, "2", "broken", first_wait=2.0), "3", "broken too", first_wait=2.0)
        assert (failure.version, failure.attempts) == ("3", 1)
