"""What a job is compared with: decodes files, classifies them and writes their labels; prints the seconds of that."""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.batch.network import EDGE, make_network

folder, output, together = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
network = make_network()


def classify(paths: list[Path]) -> list[str]:
    """Return the labels of files."""
    arrays = [
        np.asarray(Image.open(path).convert("RGB").resize((EDGE, EDGE), Image.Resampling.BILINEAR)) for path in paths
    ]
    with torch.inference_mode():
        return [str(place) for place in network(torch.from_numpy(np.stack(arrays))).argmax(dim=1).tolist()]


files = sorted(folder.iterdir())
classify(files[:together])  # the first call of a network takes longer
begun = time.perf_counter()
labels = [label for start in range(0, len(files), together) for label in classify(files[start : start + together])]
output.write_text(json.dumps(labels))
print(time.perf_counter() - begun)
