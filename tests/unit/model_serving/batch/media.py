"""Small models of texts and images, saved as they are registered, and files for them."""

from collections.abc import Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec
from PIL import Image

from services.model_serving.batch.scoring.calls import Load
from services.model_serving.batch.uploads.image import read_image
from services.model_serving.batch.uploads.limits import Limits

torch = pytest.importorskip("torch", reason="the extra `flavors` is not installed")

EDGE = 8


class Brightness(torch.nn.Module):
    """Probabilities of `dark` and `bright`: the mean of an image says which."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        share = pixels.to(torch.float32).mean(dim=(1, 2, 3)) / 255
        return torch.stack((1 - share, share), dim=1)


class Corner(torch.nn.Module):
    """Answers with one box in the lower right quarter, as sure as the image is bright, and one that is never sure."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        share = pixels.to(torch.float32).mean(dim=(1, 2, 3)) / 255
        zeros, ones = torch.zeros_like(share), torch.ones_like(share)
        sure = torch.stack((0.5 * ones, 0.5 * ones, ones, 1.5 * ones, ones, share), dim=1)
        unsure = torch.stack((zeros, zeros, 0.5 * ones, 0.5 * ones, zeros, 0.1 * ones), dim=1)
        return torch.stack((unsure, sure), dim=1)


def save_program(folder: Path, module: Any, task: str, labels: list[str], **metadata: Any) -> Path:
    """Save a program of RGB images as training does."""
    mlflow.pytorch.save_model(module.eval(), folder, **program_options(task, labels, **metadata))
    return folder


def program_options(task: str, labels: list[str], **metadata: Any) -> dict[str, Any]:
    """Return how a program of RGB images is saved or logged."""
    return {
        "serialization_format": "pt2",
        "signature": ModelSignature(Schema([TensorSpec(np.dtype(np.uint8), (-1, EDGE, EDGE, 3))])),
        "input_example": np.zeros((2, EDGE, EDGE, 3), dtype=np.uint8),
        "metadata": {
            "ml.task": task,
            "ml.labels": labels,
            "ml.image": {"width": EDGE, "height": EDGE, "mode": "RGB"},
            **metadata,
        },
        "pip_requirements": ["mlflow"],
    }


def images(*contents: bytes) -> Sequence[Load[Image.Image]]:
    """Return files as a scorer gets them."""
    return [partial(read_image, content, Limits()) for content in contents]


def picture(width: int, height: int, shade: int, kind: str = "PNG", **options: Any) -> bytes:
    """Write an image of one shade of gray."""
    stream = BytesIO()
    Image.new("RGB", (width, height), (shade, shade, shade)).save(stream, kind, **options)
    return stream.getvalue()
