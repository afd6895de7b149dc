"""Small images classified as a job and by a loop of PyTorch, in turns; and the scorer alone beside the same loop."""

import json
import os
import statistics
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import torch
from PIL import Image

from benchmarks.batch.desk import Desk, at_once
from benchmarks.batch.models import Published
from benchmarks.batch.network import EDGE, Network, make_network
from benchmarks.batch.nodes import ROOT, Nodes
from mlplatform.registry.registry import Registry
from services.model_serving.batch.scoring.images import CALL_IMAGES, score_images
from services.model_serving.batch.uploads.image import read_image
from services.model_serving.batch.uploads.limits import Limits
from services.model_serving.engine.identity import ModelIdentity
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.loading.loader import make_loader
from services.model_serving.settings import ServingSettings

LOOP = "benchmarks.batch.apps.classify_images"
FILES = "/api/v1/batch/files"
TENANT = "images"
PAGE = 1000
SEED = 1
SMALLEST, LARGEST = 24, 64
"""Edges of an image, in pixels."""


def measure(
    nodes: Nodes, model: Published, folder: Path, *, count: int, rounds: int, step: Callable[[], None]
) -> dict[str, Any]:
    """Measure the job and the loop in turns, and then the scorer alone.

    Args:
        nodes: The services.
        model: The network as it was registered.
        folder: For the files.
        count: How many files.
        rounds: Of both.
        step: Called after each round, and once before the first.
    """
    files, archive = make_files(count), BytesIO()
    place = folder / "images"
    place.mkdir()
    with zipfile.ZipFile(archive, "w") as packed:
        for number, content in enumerate(files):
            (place / f"{number:06}.png").write_bytes(content)
            packed.writestr(f"{number:06}.png", content)
    desk = Desk.of(nodes, TENANT)
    cold, _ = _run_job(desk, model, archive.getvalue())
    at_once(lambda: _run_job(desk, model, archive.getvalue()), nodes.processes)
    step()
    pairs, same = [], True
    for _ in range(rounds):
        loop, expected = _run_loop(place, folder / "labels.json")
        job, labels = _run_job(desk, model, archive.getvalue())
        pairs.append((job, loop))
        same = same and labels == expected
        step()
    return {
        "images": count,
        "batch": CALL_IMAGES,
        "same_answers": same,
        "cold_seconds": round(cold, 2),
        "job_seconds": [round(job, 3) for job, _ in pairs],
        "loop_seconds": [round(loop, 3) for _, loop in pairs],
        "ratio": round(statistics.median(loop / job for job, loop in pairs), 3),
        "scorer": compare_scorer(files, model, folder, rounds),
    }


def make_files(count: int) -> list[bytes]:
    """Return PNG files."""
    chance = np.random.default_rng(SEED)
    files = []
    for _ in range(count):
        width, height = chance.integers(SMALLEST, LARGEST, 2)
        coarse = Image.fromarray(chance.integers(0, 256, (6, 6, 3), dtype=np.uint8))
        stream = BytesIO()
        coarse.resize((int(width), int(height)), Image.Resampling.BICUBIC).save(stream, "PNG")
        files.append(stream.getvalue())
    return files


def compare_scorer(files: list[bytes], model: Published, folder: Path, rounds: int) -> dict[str, Any]:
    """Compare what a process that scores does with files in its memory with a loop that does the same.

    Both run here, in one thread: seconds of the processor are the same whatever else the machine does.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        loaded, network = _load(model, folder), make_network()
        loads = [partial(read_image, content, Limits()) for content in files]
        pairs = []
        for _ in range(rounds + 1):  # the first call of a network takes longer
            ours = _processor_seconds(lambda: score_images(loaded, loads, {}, lambda: None))
            pairs.append((ours, _processor_seconds(lambda: _loop(network, files))))
    finally:
        torch.set_num_threads(threads)
    scorer, loop = (statistics.median(pair[which] for pair in pairs[1:]) for which in (0, 1))
    return {
        "images_per_second": round(len(files) / scorer, 1),
        "loop_images_per_second": round(len(files) / loop, 1),
        "ratio": round(statistics.median(other / one for one, other in pairs[1:]), 3),
    }


def _run_loop(place: Path, output: Path) -> tuple[float, list[str]]:
    answer = subprocess.run(
        [sys.executable, "-m", LOOP, place, output, str(CALL_IMAGES)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    labels: list[str] = json.loads(output.read_text(encoding="utf-8"))
    return float(answer.stdout.split()[-1]), labels


def _run_job(desk: Desk, model: Published, archive: bytes) -> tuple[float, list[str]]:
    """Return the seconds from the upload of an archive until all results are here, and the labels."""
    begun = time.perf_counter()
    files = {"files": ("images.zip", archive, "application/zip")}
    job = desk.submit(FILES, data={"model": model.name}, files=files)
    items = desk.ended(job)["items"]
    results = desk.get(f"{job}/results", limit=PAGE).raise_for_status().json()["results"]
    seconds = time.perf_counter() - begun
    if len(results) != items:
        raise RuntimeError(f"{len(results)} results of {items} items")
    return seconds, [one["output"]["label"] for one in results]


def _load(model: Published, folder: Path) -> LoadedModel:
    """Load the model as a worker does."""
    saved = mlflow.artifacts.download_artifacts(model.uri, dst_path=str(folder / "model"))
    settings = ServingSettings(serving_cache=folder / "cache")
    loader = make_loader(Registry(mlflow.get_tracking_uri()), settings)
    return loader.open(Path(saved), ModelIdentity(model.name, "1", key="key", digest=None, run_id=None))


def _loop(network: Network, files: list[bytes]) -> None:
    for start in range(0, len(files), CALL_IMAGES):
        arrays = [
            np.asarray(Image.open(BytesIO(content)).convert("RGB").resize((EDGE, EDGE), Image.Resampling.BILINEAR))
            for content in files[start : start + CALL_IMAGES]
        ]
        with torch.inference_mode():
            network(torch.from_numpy(np.stack(arrays))).argmax(dim=1).tolist()


def _processor_seconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun
