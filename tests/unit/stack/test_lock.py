import threading
from pathlib import Path

import pytest

from mlplatform.stack.errors import StackError
from mlplatform.stack.lock import exclusive


def fail_if_called() -> None:
    pytest.fail("there is no other holder")


class TestExclusive:
    def test_second_holder_is_told_and_waits_for_the_first(self, tmp_path: Path) -> None:
        path, told, order = tmp_path / "lock", threading.Event(), []

        def second() -> None:
            with exclusive(path, seconds=30, waiting=told.set):
                order.append("second")

        with exclusive(path, seconds=30, waiting=fail_if_called):
            thread = threading.Thread(target=second)
            thread.start()
            assert told.wait(30)
            order.append("first")
        thread.join(30)
        assert order == ["first", "second"]

    def test_holder_that_takes_too_long_is_named_by_its_lock(self, tmp_path: Path) -> None:
        path = tmp_path / "lock"
        with (
            exclusive(path, seconds=30, waiting=fail_if_called),
            pytest.raises(StackError, match=str(path)),
            exclusive(path, seconds=0, waiting=lambda: None),
        ):
            pytest.fail("two holders")

    def test_lock_of_a_deleted_folder_is_not_taken_for_the_new_one(self, tmp_path: Path) -> None:
        path, told, held = tmp_path / "home" / "lock", threading.Event(), []

        def second() -> None:
            with exclusive(path, seconds=30, waiting=told.set):
                held.append(path.exists())

        with exclusive(path, seconds=30, waiting=fail_if_called):
            thread = threading.Thread(target=second)
            thread.start()
            assert told.wait(30)
            path.unlink()
            path.parent.rmdir()
        thread.join(30)
        assert held == [True]
