#!/usr/bin/env python
"""Train, evaluate and register an image classifier; `python train.py --help` lists the options."""

import sys

from image_program import main

if __name__ == "__main__":
    sys.exit(main())
