"""What stops a start before anything runs."""

import os
import socket
from pathlib import Path

import pytest

from mlplatform.stack import PortTaken, Stack, StackError
from tests.fixtures.stack import free_ports


class TestUp:
    def test_taken_port_is_named_with_its_owner_and_its_variable(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            stack = Stack(tmp_path / ".mlp", free_ports() | {"ML_SERVING_PORT": str(port)})
            with pytest.raises(PortTaken) as failure:
                stack.up()
        message = str(failure.value)
        assert f"port {port} for serving" in message
        assert f"(pid {os.getpid()})" in message
        assert "ML_SERVING_PORT=" in message
        assert stack.processes() == []

    def test_missing_program_is_named(self, tmp_path: Path) -> None:
        stack = Stack(tmp_path / ".mlp", free_ports() | {"ML_STACK_TRACES": "jaeger", "PATH": "/nowhere"})
        with pytest.raises(StackError, match="'jaeger' on PATH"):
            stack.up()
        assert stack.processes() == []
        stack.reset()
