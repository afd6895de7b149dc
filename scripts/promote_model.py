#!/usr/bin/env python
"""Move a model version between stages; see --help."""

import sys

from mlplatform.registry.arguments import parse


def main() -> int:
    """Parse first, so that help and usage errors answer at once, and import MLflow, which takes seconds, after."""
    arguments = parse(sys.argv[1:])
    from mlplatform.registry.command import run  # noqa: PLC0415 - see above

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
