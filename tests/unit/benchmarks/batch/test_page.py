"""The page in the repository is the one that the kept run gives."""

from benchmarks.batch.criteria import judge
from benchmarks.batch.page import NONE_KEPT, PAGE, read_kept, render
from tests.unit.benchmarks.batch.results import result


class TestPage:
    def test_is_up_to_date(self):
        assert PAGE.read_text(encoding="utf-8") == render(read_kept()), "run `python -m benchmarks.batch.page`"

    def test_says_that_nothing_was_kept(self):
        assert NONE_KEPT in render(None)

    def test_shows_targets_rounds_memory_and_waits(self):
        page = render(result() | {"targets": judge(result())})
        assert "| submit to first result, small job, p95 | ≤ 1 s | ≤ 0.3 s | 0.11 s | aim |" in page
        assert "| 2 | 5 | 4 | 0.80 |" in page
        assert "| scorer | 390, 380 | 340, 330 |" in page
        assert "| a tenant every 0.2 s, beside a backlog | 90 | 220 | 300 |" in page
