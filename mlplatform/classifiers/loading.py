"""A classifier in memory, as a pipeline of Transformers. Nothing is fetched, and no code of its runs."""

import base64
import math
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors import SafetensorError
from transformers import (
    AutoImageProcessor,
    AutoModelForImageClassification,
    AutoModelForObjectDetection,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    Pipeline,
    pipeline,
)

from mlplatform.classifiers.task import Task
from mlplatform.embedders.errors import EmbedderError

MODELS = {
    Task.TEXTS: AutoModelForSequenceClassification,
    Task.IMAGES: AutoModelForImageClassification,
    Task.OBJECTS: AutoModelForObjectDetection,
}
PARTS: Mapping[Task, tuple[str, Any]] = {
    Task.TEXTS: ("tokenizer", AutoTokenizer),
    Task.IMAGES: ("image_processor", AutoImageProcessor),
    Task.OBJECTS: ("image_processor", AutoImageProcessor),
}
"""What a pipeline has besides its model."""
OWN_FILES = {"local_files_only": True, "trust_remote_code": False}
FAULTS = (
    AttributeError,
    ImportError,
    LookupError,
    OSError,
    RuntimeError,
    SafetensorError,
    TypeError,
    ValueError,
)
"""What Transformers raises at configurations and weights that do not fit each other."""
TEXTS = ("a text", "another text with a few words more")
EDGE = 64
"""Pixels of an image's side."""


def load(folder: Path, task: Task) -> Pipeline:
    """Load a classifier on the processor, in 32-bit floats, in which serving computes.

    Args:
        folder: What `check_folder` has looked at.
        task: What for.

    Raises:
        EmbedderError: It does not load, or lacks weights, which would be random.
    """
    try:
        model, report = MODELS[task].from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, output_loading_info=True, **OWN_FILES
        )
        name, kind = PARTS[task]
        part = {name: kind.from_pretrained(folder, **OWN_FILES)}
        lacking = sorted(report["missing_keys"])
        if not lacking:
            return pipeline(task.value, model=model.eval(), device="cpu", **part)
    except FAULTS as error:
        raise EmbedderError(f"it does not load: {error}") from error
    raise EmbedderError(f"its weights lack {lacking[0]}, which would be random: train it for {task} first")


def check(loaded: Pipeline, task: Task) -> None:
    """Have a classifier answer two examples in one call, as batch jobs do.

    Raises:
        EmbedderError: It does not, or its scores are of no use.
    """
    examples = list(TEXTS) if task is Task.TEXTS else [blank(), blank()]
    options = {"threshold": 0.0} if task is Task.OBJECTS else {}
    try:
        answers = loaded(examples, batch_size=len(examples), **options)
    except FAULTS as error:
        raise EmbedderError(f"it does not answer: {error}") from error
    if not all(math.isfinite(score) for score in _scores(answers)):
        raise EmbedderError("its scores are no numbers: its weights hold NaN or infinity, so train or fetch it anew")


def blank() -> Image.Image:
    """Return an image of one shade."""
    return Image.new("RGB", (EDGE, EDGE), "gray")


def encoded_blank() -> str:
    """Return it as the base64 text of a PNG file, in which serving takes images."""
    stream = BytesIO()
    blank().save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


def _scores(answers: list[Any]) -> Iterator[float]:
    for answer in answers:
        yield from (one["score"] for one in (answer if isinstance(answer, list) else [answer]))
