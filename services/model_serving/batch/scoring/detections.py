"""Files of images in which objects are found; boxes are in pixels of the original image, as it is looked at."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL.Image import Image

from mlplatform.monitoring.objects import CERTAIN
from services.model_serving.batch.scoring.calls import Check, Load, Outcome
from services.model_serving.batch.scoring.images import Numbers, Sized, run_program, score_sized
from services.model_serving.batch.scoring.media import DETECTIONS, image_input, labels_of
from services.model_serving.batch.scoring.pipelines import Pipeline, pipeline_of
from services.model_serving.batch.scoring.prepared import Prepared, forward, score_prepared
from services.model_serving.batch.scoring.wishes import Wishes
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.errors import LoadError

TOP_K = 100
THRESHOLD = CERTAIN
FIELDS = 6
"""Of a detection in the answer of a program: left, top, right and bottom as shares of the image, class, confidence."""
DECIMALS = 6
BOX_DECIMALS = 2


def score_detections(
    model: LoadedModel, files: Sequence[Load[Image]], params: Mapping[str, Any], check: Check
) -> list[Outcome]:
    """Find objects in images; blocks.

    Args:
        model: Of the task `object-detection`.
        files: Images.
        params: `top_k` and `threshold`.
        check: Called before each file and each call of the model; raises to end the work.

    Returns:
        For each file JSON of the output, or of the error.

    Raises:
        InvalidInputs: A parameter is unknown or out of range.
        LoadError: The model does not say what images it takes.
    """
    wishes = Wishes.accepted(params, DETECTIONS)
    if (pipeline := pipeline_of(model)) is not None:
        return score_prepared(model, files, pipeline, lambda images: _by_pipeline(pipeline, images, wishes), check)
    labels = labels_of(model)

    def call(images: Sequence[Sized]) -> list[object]:
        answer = run_program(model, images)
        if answer.ndim != 3 or answer.shape[2] != FIELDS:  # noqa: PLR2004 (images, detections, fields)
            raise LoadError(f"The model answers {answer.shape}; detections are (images, detections, {FIELDS}).")
        return [_placed(rows, one, labels, wishes) for rows, one in zip(answer, images, strict=True)]

    return score_sized(model, files, image_input(model), call, check)


def _placed(rows: Numbers, image: Sized, labels: Sequence[str], wishes: Wishes) -> dict[str, Any]:
    """Bring the detections of a program to pixels of the original."""
    scale = np.array([image.width, image.height, image.width, image.height])
    found = [
        (labels[int(row[4])], float(row[5]), (row[:4].clip(0, 1) * scale).round(BOX_DECIMALS).tolist()) for row in rows
    ]
    return _answer(image.width, image.height, found, wishes)


def _by_pipeline(pipeline: Pipeline, images: Sequence[Prepared], wishes: Wishes) -> list[object]:
    """Call the model once: the pipeline itself would take one image at a time."""
    threshold = THRESHOLD if wishes.threshold is None else wishes.threshold
    given = forward(pipeline, images)
    answers = pipeline.image_processor.post_process_object_detection(given, threshold, given["target_size"])
    labels = pipeline.model.config.id2label
    outputs: list[object] = []
    for image, answer in zip(images, answers, strict=True):
        boxes = answer["boxes"].double().numpy().round(BOX_DECIMALS).tolist()
        kinds = [str(labels[kind]) for kind in answer["labels"].tolist()]
        found = list(zip(kinds, answer["scores"].tolist(), boxes, strict=True))
        outputs.append(_answer(image.width, image.height, found, wishes))
    return outputs


def _answer(width: int, height: int, found: Sequence[tuple[str, float, list[float]]], wishes: Wishes) -> dict[str, Any]:
    threshold = THRESHOLD if wishes.threshold is None else wishes.threshold
    kept = sorted((one for one in found if one[1] >= threshold), key=lambda one: -one[1])
    return {
        "width": width,
        "height": height,
        "detections": [
            {"label": label, "confidence": round(confidence, DECIMALS), "box": box}
            for label, confidence, box in kept[: wishes.top_k or TOP_K]
        ],
    }
