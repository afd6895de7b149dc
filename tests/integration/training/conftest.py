"""The programs are run by path, so their folders are where their modules are found."""

import sys
from pathlib import Path

for program in ("image_classifier", "object_detector", "text_classifier"):
    sys.path.insert(0, str(Path(__file__).parents[3] / "training" / program))
