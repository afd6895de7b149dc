#!/usr/bin/env python
"""Train, evaluate and register a curve forecaster; `python train.py --help` lists the options."""

import sys
from collections.abc import Sequence

from mlplatform.training.failures import INTERRUPTED, TrainingError

from options import parse_options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit status."""
    try:
        options = parse_options(sys.argv[1:] if arguments is None else arguments)
        from pipeline import run  # noqa: PLC0415 - MLflow takes seconds to import; `--help` or a mistyped option should not

        return run(options)
    except TrainingError as error:
        sys.stderr.write(f"train.py: {error}\n")
        return error.exit_status
    except KeyboardInterrupt:
        sys.stderr.write("train.py: interrupted; nothing more was registered\n")
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
