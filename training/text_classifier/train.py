#!/usr/bin/env python
"""Train, evaluate and register a text classifier; `python train.py --help` lists the options."""

import sys

from text_program import main

if __name__ == "__main__":
    sys.exit(main())
