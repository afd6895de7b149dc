import pytest
from redis.asyncio import Redis

from mlplatform.events import streams
from mlplatform.events.streams import Entry, block, entries, milliseconds


class TestEntries:
    @pytest.mark.parametrize("raw", [(b"5-1", {b"event": b"{}"}), ("5-1", {"event": "{}"})])
    def test_reads_replies_with_and_without_decoding(self, raw: tuple[object, object]) -> None:
        assert entries([(b"stream", [raw])]) == [Entry("5-1", b"{}")]

    @pytest.mark.parametrize("reply", [None, [], {}])
    def test_an_empty_reply_has_none(self, reply: object) -> None:
        assert entries(reply) == []

    def test_an_entry_may_lack_the_event(self) -> None:
        assert Entry.of((b"5-1", {b"other": b"x"})).document is None


class TestMilliseconds:
    def test_is_the_first_part_of_the_id(self) -> None:
        assert milliseconds("1700000000123-4") == 1_700_000_000_123


class TestBlock:
    @pytest.mark.parametrize(("socket_timeout", "expected"), [(None, 1000), (5.0, 1000), (0.4, 200)])
    def test_stays_below_the_socket_timeout(
        self, socket_timeout: float | None, expected: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(streams, "LONGEST_BLOCK", 1.0)
        assert block(Redis(socket_timeout=socket_timeout)) == expected
