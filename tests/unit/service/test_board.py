"""What the processes of a group tell each other."""

import os

from mlplatform.service.board import Board


class TestBoard:
    def test_a_process_that_has_said_nothing_is_waited_for(self) -> None:
        board = Board(2)
        board.write(1, ready=True, wants_renewal=False)
        assert board.waited_for() == [0]

    def test_a_process_that_is_not_ready_is_waited_for(self) -> None:
        board = Board(1)
        board.write(0, ready=False, wants_renewal=False)
        assert board.waited_for() == [0]

    def test_what_a_fork_writes_is_read_by_its_parent(self) -> None:
        board = Board(1)
        child = os.fork()
        if not child:
            board.write(0, ready=True, wants_renewal=True)
            os._exit(0)
        os.waitpid(child, 0)
        assert board.read(0).pid == child
        assert board.waited_for() == []
        assert board.wants_renewal()

    def test_a_process_that_has_ended_is_forgotten(self) -> None:
        board = Board(1)
        board.write(0, ready=True, wants_renewal=True)
        board.clear(0)
        assert board.waited_for() == [0]
        assert not board.wants_renewal()
