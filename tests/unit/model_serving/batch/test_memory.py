"""A process may have so much memory, and is replaced when that helps."""

import os
import subprocess
import sys
from collections import OrderedDict

import numpy as np
import pytest

from services.model_serving.batch.scoring.memory import LEAP, WORTH, Ceiling, private, resident
from services.model_serving.batch.scoring.watch import Took

MIB = 1 << 20
GIB = 1 << 30
LOADING = 20.0
"""Seconds to load a version."""
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def told(most: int, *chunks: tuple[int, int]) -> list[int | None]:
    """Say what a ceiling says after each chunk, by all memory and the private memory after it."""
    now = [(0, 0)]
    ceiling = Ceiling(most, 1, 1, lambda _: now[-1][0], lambda _: now[-1][1])

    def after(chunk: tuple[int, int]) -> int | None:
        now.append(chunk)
        return ceiling.passed(Took(1.0))

    return [after(chunk) for chunk in chunks]


class Machine:
    """Scores chunks of a second each in one process after the other.

    Args:
        most: Bytes that a process may have.
        versions: How many it keeps.

    Attributes:
        replaced: Processes that were.
        loads: Versions that were loaded.
        chunks: That were scored.
        highest: Most bytes that any of the processes had.
        is_fresh: Whether the process has done nothing yet.
    """

    def __init__(self, most: int, versions: int = 2) -> None:
        self.replaced = self.loads = self.chunks = self.highest = 0
        self._most = most
        self._versions = versions
        self._begin()

    def score(self, version: str, size: int, *, buffers: int = 0, leak: int = 0) -> None:
        """Score a chunk with a version of so many bytes, which needs buffers once and leaks each time."""
        loading = None
        if version not in self._kept:
            while len(self._kept) >= self._versions:
                self._kept.popitem(last=False)
            loading = LOADING
            self.loads += 1
        self._kept[version] = size
        self._kept.move_to_end(version)
        self._buffers = max(self._buffers, buffers)
        self._leaked += leak
        self.chunks += 1
        self.highest = max(self.highest, self._memory())
        self.is_fresh = False
        if self._ceiling.passed(Took(1.0, loading)) is not None:
            self.replaced += 1
            self._begin()

    def _begin(self) -> None:
        self._kept: OrderedDict[str, int] = OrderedDict()
        self._buffers = self._leaked = 0
        self._ceiling = Ceiling(self._most, self._versions, 1, lambda _: self._memory(), lambda _: self._memory())
        self.is_fresh = True

    def _memory(self) -> int:
        return sum(self._kept.values()) + self._buffers + self._leaked


class TestCeiling:
    def test_what_is_shared_does_not_count(self) -> None:
        assert told(100, (90, 10), (300, 100), (300, 101)) == [None, None, 101]

    def test_a_new_process_that_would_be_as_large_is_not_wanted_until_it_has_grown(self) -> None:
        assert told(100, (200, 150), (200, 150), (200, 165), (200, 166)) == [None, None, None, 166]

    def test_a_first_chunk_that_takes_little_is_no_excuse(self) -> None:
        assert told(100, (50, 50), (101, 101)) == [None, 101]

    def test_a_system_that_does_not_tell_has_nobody_replaced(self) -> None:
        ceiling = Ceiling(1, 1, 1, lambda _: None, lambda _: None)
        assert [ceiling.passed(Took(1.0)), ceiling.passed(Took(1.0))] == [None, None]


class TestVersions:
    def test_two_that_take_more_together_than_a_process_may_have_stay_in_memory(self) -> None:
        machine = Machine(4 * GIB)
        for chunk in range(1000):
            machine.score("ab"[chunk % 2], 5 * GIB // 2, buffers=chunk * MIB // 4)
        assert (machine.replaced, machine.loads) == (0, 2)

    def test_one_that_needs_more_after_its_first_chunk_is_not_loaded_most_of_the_time(self) -> None:
        machine = Machine(4 * GIB)
        for _ in range(1000):
            machine.score("a", 7 * GIB // 2, buffers=0 if machine.is_fresh else 6 * GIB // 5)
        assert WORTH * LOADING * machine.replaced <= machine.chunks

    def test_a_leak_beside_two_is_caught_and_loading_is_a_small_part_of_the_time(self) -> None:
        machine = Machine(4 * GIB)
        for chunk in range(2000):
            machine.score("ab"[chunk % 2], 5 * GIB // 2, leak=5 * MIB)
        assert machine.replaced >= 2
        assert 2 * WORTH * LOADING * machine.replaced <= machine.chunks
        assert machine.highest < LEAP * 5 * GIB

    def test_a_leak_that_does_not_give_it_so_much_time_is_caught_all_the_same(self) -> None:
        machine = Machine(4 * GIB)
        for chunk in range(200):
            machine.score("ab"[chunk % 2], 5 * GIB // 2, leak=100 * MIB)
        assert machine.replaced >= 2
        assert machine.highest <= LEAP * (5 * GIB + 200 * MIB) + 100 * MIB

    def test_a_small_one_that_leaks_gets_no_more_than_a_process_may_have(self) -> None:
        machine = Machine(4 * GIB)
        for _ in range(200):
            machine.score("a", 300 * MIB, leak=100 * MIB)
        assert machine.replaced >= 4
        assert machine.highest <= 4 * GIB + 100 * MIB

    def test_a_leak_is_caught_where_each_chunk_loads_another_one(self) -> None:
        machine = Machine(4 * GIB, versions=1)
        for chunk in range(1000):
            machine.score("ab"[chunk % 2], 5 * GIB // 2, leak=10 * MIB)
        assert machine.replaced >= 2
        assert machine.highest <= LEAP * 5 * GIB // 2


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
