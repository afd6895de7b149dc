import pytest
from redis import exceptions

from mlplatform.events.redis_errors import is_outage


class TestIsOutage:
    @pytest.mark.parametrize(
        "error",
        [
            exceptions.ConnectionError("refused"),
            exceptions.TimeoutError("too slow"),
            exceptions.OutOfMemoryError("command not allowed"),
            exceptions.ResponseError("MISCONF Redis is configured to save RDB snapshots, but cannot"),
            exceptions.ResponseError("LOADING Redis is loading the dataset in memory"),
        ],
    )
    def test_redis_that_serves_nobody_is_an_outage(self, error: Exception) -> None:
        assert is_outage(error)

    @pytest.mark.parametrize(
        "error",
        [
            exceptions.ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value"),
            exceptions.ResponseError("NOGROUP No such key"),
            exceptions.ResponseError("BUSYGROUP Consumer Group name already exists"),
            ValueError("not from Redis"),
        ],
    )
    def test_a_refused_command_is_none(self, error: Exception) -> None:
        assert not is_outage(error)
