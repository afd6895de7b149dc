#!/usr/bin/env python
"""Fine-tune an embedding model on judged pairs and register it; `python train.py --help` lists the options."""

import sys

from program import main

if __name__ == "__main__":
    sys.exit(main())
