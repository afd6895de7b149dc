#!/usr/bin/env python
"""Train, evaluate and register an object detector; `python train.py --help` lists the options."""

import sys

from scene_program import main

if __name__ == "__main__":
    sys.exit(main())
