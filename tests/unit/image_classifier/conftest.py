"""The program is run by path, so its folder is where its modules are found."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "training" / "image_classifier"))
