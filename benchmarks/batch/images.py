"""Images through the scorer of batch jobs, beside a loop of PyTorch that reads the same files in the same batches.

What is compared is what a process that scores does with the files of a chunk; claims, storage and results are left out.
The scorer runs the exported program as it is registered, the loop runs the network it was exported from, both in one
thread.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import mlflow
import numpy as np
import torch
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec
from PIL import Image
from rich.console import Console

from mlplatform.registry.registry import Registry
from services.model_serving.batch.scoring.calls import Load
from services.model_serving.batch.scoring.images import CALL_IMAGES, score_images
from services.model_serving.batch.uploads.image import read_image
from services.model_serving.batch.uploads.limits import Limits
from services.model_serving.engine.identity import ModelIdentity
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.loading.loader import make_loader
from services.model_serving.settings import ServingSettings

EDGE, CHANNELS, CLASSES = 32, 3, 10
WANTED = 0.8
NOWHERE = "http://127.0.0.1:9"


class Network(torch.nn.Module):
    """A small network as training/image_classifier makes them."""

    def __init__(self) -> None:
        super().__init__()
        parts: list[torch.nn.Module] = []
        inner = CHANNELS
        for width in (32, 64, 128):
            parts += [torch.nn.Conv2d(inner, width, 3, padding=1), torch.nn.BatchNorm2d(width), torch.nn.ReLU()]
            parts += [torch.nn.Conv2d(width, width, 3, padding=1), torch.nn.BatchNorm2d(width), torch.nn.ReLU()]
            parts.append(torch.nn.MaxPool2d(2))
            inner = width
        self.body = torch.nn.Sequential(*parts, torch.nn.Flatten(), torch.nn.Linear(inner * 16, CLASSES))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return probabilities of bytes."""
        return torch.softmax(self.body(pixels.permute(0, 3, 1, 2).to(torch.float32) / 127.5 - 1), dim=1)


class Took(NamedTuple):
    """Seconds by the clock and of the processor; the latter hold on a machine that does other work."""

    clock: float
    processor: float


def main() -> int:
    """Compare, print, and say by the exit status whether the scorer is fast enough."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=1000, help="files (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="of each, in turns (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    network = Network().eval()
    files = make_files(asked.images)
    with tempfile.TemporaryDirectory() as scratch:
        model = load(Path(scratch) / "model", network)
    ours, theirs = (lambda: score_images(model, loads(files), {}, lambda: None)), (lambda: loop(network, files))
    same = [json.loads(output)["label"] for output, _ in ours() if output] == theirs()
    rounds = [(timed(ours), timed(theirs)) for _ in range(asked.rounds)]
    found = {
        "images": asked.images,
        "batch": CALL_IMAGES,
        "same_answers": same,
        "images_per_second": round(asked.images / statistics.median(one.clock for one, _ in rounds), 1),
        "loop_images_per_second": round(asked.images / statistics.median(other.clock for _, other in rounds), 1),
        "ratio": round(statistics.median(other.clock / one.clock for one, other in rounds), 3),
        "processor_ratio": round(statistics.median(other.processor / one.processor for one, other in rounds), 3),
        "wanted": WANTED,
    }
    if asked.json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    else:
        for name, value in found.items():
            Console(highlight=False).print(f"{name.replace('_', ' ')}: {value}")
    return 0 if same and found["ratio"] >= WANTED else 1


def make_files(count: int) -> list[bytes]:
    """Return PNG files of 24 to 63 pixels."""
    chance = np.random.default_rng(1)
    files = []
    for _ in range(count):
        width, height = chance.integers(24, 64, 2)
        coarse = Image.fromarray(chance.integers(0, 256, (6, 6, 3), dtype=np.uint8))
        stream = BytesIO()
        coarse.resize((int(width), int(height)), Image.Resampling.BICUBIC).save(stream, "PNG")
        files.append(stream.getvalue())
    return files


def loads(files: Sequence[bytes]) -> list[Load[Image.Image]]:
    """Return files as a scorer gets them."""
    return [partial(read_image, content, Limits()) for content in files]


def load(folder: Path, network: Network) -> LoadedModel:
    """Export a network as it is registered, and load it as a worker does."""
    mlflow.pytorch.save_model(
        network,
        folder,
        serialization_format="pt2",
        signature=ModelSignature(Schema([TensorSpec(np.dtype(np.uint8), (-1, EDGE, EDGE, CHANNELS))])),
        input_example=np.zeros((2, EDGE, EDGE, CHANNELS), dtype=np.uint8),
        metadata={
            "ml.task": "image-classification",
            "ml.labels": [str(place) for place in range(CLASSES)],
            "ml.image": {"width": EDGE, "height": EDGE, "mode": "RGB"},
        },
        pip_requirements=["mlflow"],
    )
    loader = make_loader(Registry(NOWHERE), ServingSettings(serving_cache=folder.parent / "cache"))
    return loader.open(folder, ModelIdentity("images", "1", key="key", digest=None, run_id=None))


def loop(network: Network, files: Sequence[bytes]) -> list[str]:
    """Classify files as a script does."""
    labels: list[str] = []
    for start in range(0, len(files), CALL_IMAGES):
        arrays = [
            np.asarray(Image.open(BytesIO(content)).convert("RGB").resize((EDGE, EDGE), Image.Resampling.BILINEAR))
            for content in files[start : start + CALL_IMAGES]
        ]
        with torch.inference_mode():
            labels += [str(place) for place in network(torch.from_numpy(np.stack(arrays))).argmax(dim=1).tolist()]
    return labels


def timed(work: Callable[[], object]) -> Took:
    """Return how long something took."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return Took(time.perf_counter() - clock, time.process_time() - processor)


if __name__ == "__main__":
    sys.exit(main())
