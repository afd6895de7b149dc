"""The program: reads its command line, runs, and says how it ended."""

import sys
from collections.abc import Sequence

from mlplatform.training.failures import INTERRUPTED, TrainingError

from arguments import parse_arguments


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit status."""
    try:
        asked = parse_arguments(sys.argv[1:] if arguments is None else arguments)
        from steps import run  # noqa: PLC0415 - PyTorch takes seconds to import; `--help` or a mistyped option should not

        return run(asked)
    except TrainingError as error:
        sys.stderr.write(f"train.py: {error}\n")
        return error.exit_status
    except KeyboardInterrupt:
        sys.stderr.write("train.py: interrupted; nothing more was registered\n")
        return INTERRUPTED
