import os
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from mlplatform.stack.status import memory

PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
CHILD = "import sys; block = bytearray(b'x' * 50_000_000); print('ready', flush=True); sys.stdin.read()"


@pytest.fixture
def family() -> Iterator[subprocess.Popen[str]]:
    """A process with a child of 50 MB."""
    command = [sys.executable, "-c", PARENT.format(child=CHILD)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.stdin.close()


class TestMemory:
    def test_is_that_of_a_process_and_its_children(self, family: subprocess.Popen[str]) -> None:
        alone = psutil.Process(family.pid).memory_info().rss

        found = memory([family.pid])

        assert found.keys() == {family.pid}
        assert found[family.pid] > alone + 50_000_000

    def test_of_each_process_it_is_its_own(self, family: subprocess.Popen[str]) -> None:
        (child,) = psutil.Process(family.pid).children()

        found = memory([family.pid, child.pid])

        assert found[child.pid] == child.memory_info().rss
        assert found[family.pid] > found[child.pid]

    def test_one_that_is_gone_has_none(self, family: subprocess.Popen[str]) -> None:
        assert family.stdin is not None
        family.stdin.close()
        family.wait()

        assert memory([family.pid, os.getpid()]).keys() == {os.getpid()}
