import asyncio
from datetime import timedelta

import structlog

from mlplatform.events.outage import Outage, wait

LONG = timedelta(minutes=5)


class TestOutage:
    def test_waits_longer_at_each_failure_up_to_a_limit(self) -> None:
        outage = Outage("loop", shortest=timedelta(seconds=1), longest=timedelta(seconds=8))
        waits = [outage.failed(ConnectionError("down")).total_seconds() for _ in range(40)]
        for waited, most in zip(waits, [1, 2, 4, 8, *([8] * 36)], strict=True):
            assert most / 2 <= waited <= most

    def test_begins_anew_after_a_success(self) -> None:
        outage = Outage("loop", shortest=timedelta(seconds=1), longest=LONG)
        for _ in range(5):
            outage.failed(ConnectionError("down"))
        outage.ended()
        assert not outage.failing
        assert outage.failed(ConnectionError("down")) <= timedelta(seconds=1)

    def test_logs_the_turns_only(self) -> None:
        outage = Outage("loop")
        with structlog.testing.capture_logs() as logs:
            outage.ended()
            for _ in range(3):
                outage.failed(ConnectionError("down"))
            outage.ended()
            outage.ended()
        assert [(line["event"], line["loop"]) for line in logs] == [
            ("events.interrupted", "loop"),
            ("events.resumed", "loop"),
        ]
        assert logs[0]["error"] == "ConnectionError: down"
        assert logs[1]["failures"] == 3


class TestWait:
    async def test_returns_when_the_event_is_set(self) -> None:
        event = asyncio.Event()
        asyncio.get_running_loop().call_soon(event.set)
        await wait(event, LONG)
        assert event.is_set()

    async def test_returns_when_the_time_is_up(self) -> None:
        event = asyncio.Event()
        await wait(event, timedelta(milliseconds=1))
        assert not event.is_set()
