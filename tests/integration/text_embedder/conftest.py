"""The program is run by path, so its folder is where its modules are found: last, as others have a `train` too."""

import sys
from pathlib import Path

from tests.integration.embedding.cross_encoders import rerankers
from tests.integration.embedding.tiny import embedders

__all__ = ["embedders", "rerankers"]

sys.path.append(str(Path(__file__).parents[3] / "training" / "text_embedder"))
