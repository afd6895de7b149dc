"""promote_model.py that ends at once after one step: `python -m tests.integration.registry.crash STEP OPTION...`."""

import os
import sys

from mlplatform.registry.arguments import parse
from mlplatform.registry.command import run
from mlplatform.registry.steps import Step

CRASHED = 86


def main(fatal: str, *options: str) -> int:
    """Do what the options say, until the step is done: then nothing is cleaned up and nobody is told."""

    def die(step: Step) -> None:
        if step == fatal:
            os._exit(CRASHED)

    return run(parse(options), die)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
