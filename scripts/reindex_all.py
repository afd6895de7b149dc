#!/usr/bin/env python
"""Embed what lacks a vector; see --help."""

import sys

from services.embedding.reindexing.options import parse


def main() -> int:
    """Parse first, so that help and usage errors answer at once, and import the rest, which takes seconds, after."""
    options = parse(sys.argv[1:])
    from services.embedding.reindexing.command import run  # noqa: PLC0415 - see above

    return run(options)


if __name__ == "__main__":
    sys.exit(main())
