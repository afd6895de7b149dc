"""Files scored with a model, by its task."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from services.model_serving.batch.scoring.calls import Check, Load, Outcome
from services.model_serving.batch.scoring.detections import score_detections
from services.model_serving.batch.scoring.images import score_images
from services.model_serving.batch.scoring.media import DETECTIONS, IMAGES, TEXTS, task_of
from services.model_serving.batch.scoring.texts import score_texts
from services.model_serving.engine.loaded_model import LoadedModel

FileScorer = Callable[[LoadedModel, Sequence[Load[Any]], Mapping[str, Any], Check], list[Outcome]]
"""From a model, files, the parameters of the job and what to call between calls of the model, to JSON of the output or
of the error of each file. A file is a text or an image, by the task of the model."""

SCORERS: Mapping[str, FileScorer] = {TEXTS: score_texts, IMAGES: score_images, DETECTIONS: score_detections}


def file_scorer(model: LoadedModel) -> FileScorer | None:
    """Return what scores files with a model; None for a model of rows."""
    task = task_of(model)
    return None if task is None else SCORERS[task]
