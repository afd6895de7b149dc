"""When memory may be shared."""

import threading

from mlplatform.service.processes import foreign_threads


class TestForeignThreads:
    def test_a_thread_besides_this_one_is_listed(self) -> None:
        before = len(foreign_threads())
        done = threading.Event()
        thread = threading.Thread(target=done.wait)
        thread.start()
        try:
            assert len(foreign_threads()) == before + 1
        finally:
            done.set()
            thread.join()
