"""What a training program shows while it works."""

from io import StringIO

import pytest
from rich.console import Console

from mlplatform.training.console import open_console, progress


def shown(*, terminal):
    """Return what is shown of a step of four parts."""
    stream = StringIO()
    with progress(Console(file=stream, force_terminal=terminal, width=80)) as begin:
        advance = begin("training", 4)
        for _ in range(4):
            advance(1)
    return stream.getvalue()


class TestProgress:
    def test_a_bar_on_a_terminal(self):
        said = shown(terminal=True)
        assert "training" in said
        assert "4/4" in said

    def test_a_line_elsewhere(self):
        assert shown(terminal=False) == "… training (4)\n"


class TestOpenConsole:
    @pytest.mark.parametrize(("as_json", "stream"), [(True, "err"), (False, "out")])
    def test_standard_output_is_kept_for_the_document(self, capsys, as_json, stream):
        open_console(as_json=as_json).print("a table")
        assert getattr(capsys.readouterr(), stream) == "a table\n"
