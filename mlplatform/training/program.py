"""A training program: reads its command line, runs, and says how it ended."""

import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

from mlplatform.training.failures import INTERRUPTED, TrainingError

Options = TypeVar("Options")


def run_program(
    parse: Callable[[Sequence[str]], Options],
    load: Callable[[], Callable[[Options], int]],
    arguments: Sequence[str] | None = None,
) -> int:
    """Run a program and return its exit status.

    Args:
        parse: Reads the command line.
        load: Imports what runs it; PyTorch takes seconds to import, and `--help` or a mistyped option should not.
        arguments: The command line; that of the process unless given.
    """
    try:
        options = parse(sys.argv[1:] if arguments is None else arguments)
        return load()(options)
    except TrainingError as error:
        sys.stderr.write(f"train.py: {error}\n")
        return error.exit_status
    except KeyboardInterrupt:
        sys.stderr.write("train.py: interrupted; nothing more was registered\n")
        return INTERRUPTED
