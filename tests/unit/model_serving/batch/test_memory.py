"""A process may have so much memory, and is replaced when that helps."""

import os
import subprocess
import sys

import numpy as np
import pytest

from services.model_serving.batch.scoring.memory import Ceiling, private, resident

MIB = 1 << 20
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def told(most: int, *chunks: tuple[int, int]) -> list[int | None]:
    """Say what a ceiling says after each chunk, by all memory and the private memory after it."""
    now = [(0, 0)]
    ceiling = Ceiling(most, 1, lambda _: now[-1][0], lambda _: now[-1][1])

    def after(chunk: tuple[int, int]) -> int | None:
        now.append(chunk)
        return ceiling.passed()

    return [after(chunk) for chunk in chunks]


class TestCeiling:
    def test_what_is_shared_does_not_count(self) -> None:
        assert told(100, (90, 10), (300, 100), (300, 101)) == [None, None, 101]

    def test_a_new_process_that_would_be_as_large_is_not_wanted_until_it_has_grown(self) -> None:
        assert told(100, (200, 150), (200, 150), (200, 165), (200, 166)) == [None, None, None, 166]

    def test_a_first_chunk_that_takes_little_is_no_excuse(self) -> None:
        assert told(100, (50, 50), (101, 101)) == [None, 101]

    def test_a_system_that_does_not_tell_has_nobody_replaced(self) -> None:
        ceiling = Ceiling(1, 1, lambda _: None, lambda _: None)
        assert [ceiling.passed(), ceiling.passed()] == [None, None]


class TestRead:
    @linux
    def test_memory_grows_by_what_is_written_to(self) -> None:
        pid = os.getpid()
        before = resident(pid), private(pid)
        kept = np.ones(8 * MIB)  # 64 MiB
        after = resident(pid), private(pid)
        assert kept.nbytes == 64 * MIB
        assert all(now - then > 48 * MIB for then, now in zip(before, after, strict=True))
        assert after[1] <= after[0]

    def test_a_process_that_is_gone(self) -> None:
        ended = subprocess.Popen([sys.executable, "-c", ""])
        ended.wait()
        assert (resident(ended.pid), private(ended.pid)) == (None, None)
