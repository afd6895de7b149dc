import os
import socket
from collections.abc import Iterator

import pytest

from mlplatform.stack.ports import choose_port, is_free, port_owner


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


class TestIsFree:
    def test_port_of_a_listener_is_taken(self, taken: int) -> None:
        assert not is_free(taken)

    def test_port_is_free_again_after_its_listener_closed(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            with socket.create_connection(("127.0.0.1", port)):
                server.accept()[0].close()
        assert is_free(port)


class TestChoosePort:
    def test_chosen_port_is_free_and_not_among_the_taken(self) -> None:
        first = choose_port([])
        second = choose_port([first])
        assert first != second
        assert is_free(first)
        assert is_free(second)


class TestPortOwner:
    def test_names_the_process_that_listens(self, taken: int) -> None:
        assert f"(pid {os.getpid()})" in (port_owner(taken) or "")

    def test_free_port_has_no_owner(self) -> None:
        assert port_owner(choose_port([])) is None
