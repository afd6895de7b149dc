"""Files of images, classified: as many together as fit a budget of pixels."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL.Image import Image

from mlplatform.media.pixels import Pixels, to_pixels
from services.model_serving.batch.scoring.calls import Check, Load, Outcome, failed, score_together
from services.model_serving.batch.scoring.classes import ranked, rows_of
from services.model_serving.batch.scoring.media import IMAGES, ImageInput, image_input, labels_of
from services.model_serving.batch.scoring.pipelines import Pipeline, pipeline_of
from services.model_serving.batch.scoring.wishes import Wishes
from services.model_serving.batch.uploads.errors import FileError
from services.model_serving.engine.loaded_model import LoadedModel

CALL_IMAGES = 64
CALL_VALUES = 4_000_000
"""Numbers of a call: pixels times channels."""
MOST_CLASSES = 1000
"""Of a pipeline, which are asked for by count."""

Numbers = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Sized:
    """An image at the size that a program takes.

    Attributes:
        pixels: (height, width, channels).
        width: Of the original, in pixels.
        height: Of the original.
    """

    pixels: Pixels
    width: int
    height: int


def score_images(
    model: LoadedModel, files: Sequence[Load[Image]], params: Mapping[str, Any], check: Check
) -> list[Outcome]:
    """Classify images; blocks.

    Args:
        model: Of the task `image-classification`.
        files: Images.
        params: `top_k` and `threshold`.
        check: Called before each file and each call of the model; raises to end the work.

    Returns:
        For each file JSON of the output, or of the error.

    Raises:
        InvalidInputs: A parameter is unknown or out of range.
        LoadError: The model does not say what images it takes.
    """
    wishes = Wishes.read(params, IMAGES)
    if (pipeline := pipeline_of(model)) is not None:
        return score_decoded(model, files, lambda images: _by_pipeline(pipeline, images, wishes), check)
    shape, labels = image_input(model), labels_of(model)

    def call(images: Sequence[Sized]) -> list[object]:
        return [ranked(shares, wishes) for shares in rows_of(run_program(model, images), labels)]

    return score_sized(model, files, shape, call, check)


def score_sized(
    model: LoadedModel,
    files: Sequence[Load[Image]],
    shape: ImageInput,
    call: Callable[[Sequence[Sized]], Sequence[object]],
    check: Check,
) -> list[Outcome]:
    """Bring images to the size that a program takes and call it; no more are held than one call takes.

    Args:
        model: The program.
        files: Images.
        shape: What it takes.
        call: Calls it; returns the output of each image.
        check: Called before each file and each call; raises to end the work.
    """
    together = max(1, min(CALL_IMAGES, CALL_VALUES // shape.values))
    outcomes: list[Outcome] = []
    for start in range(0, len(files), together):
        found = [_sized(load, shape, check) for load in files[start : start + together]]
        images = [one for one in found if isinstance(one, Sized)]
        scored = iter(score_together(model, images, call, check) if images else ())
        outcomes += [next(scored) if isinstance(one, Sized) else one for one in found]
    return outcomes


def score_decoded(
    model: LoadedModel,
    files: Sequence[Load[Image]],
    call: Callable[[Sequence[Image]], Sequence[object]],
    check: Check,
) -> list[Outcome]:
    """Give images to a pipeline in their own size, as many at a time as the budget of pixels allows."""
    outcomes: list[Outcome] = [(None, None)] * len(files)
    waiting: list[tuple[int, Image]] = []

    def flush() -> None:
        if waiting:
            scored = score_together(model, [image for _, image in waiting], call, check)
            for (place, _), outcome in zip(waiting, scored, strict=True):
                outcomes[place] = outcome
            waiting.clear()

    held = 0
    for place, load in enumerate(files):
        check()
        try:
            image = load()
        except FileError as error:
            outcomes[place] = failed(error)
            continue
        held += 3 * image.width * image.height
        if held > CALL_VALUES or len(waiting) == CALL_IMAGES:
            flush()
            held = 3 * image.width * image.height
        waiting.append((place, image))
    flush()
    return outcomes


def run_program(model: LoadedModel, images: Sequence[Sized]) -> Numbers:
    """Call an exported program with images of its size."""
    return np.asarray(model.call(model.signature.inputs.read_arrays(np.stack([one.pixels for one in images])), None))


def _sized(load: Load[Image], shape: ImageInput, check: Check) -> Sized | Outcome:
    check()
    try:
        image = load()
    except FileError as error:
        return failed(error)
    return Sized(to_pixels(image, shape.width, shape.height, shape.mode), image.width, image.height)


def _by_pipeline(pipeline: Pipeline, images: Sequence[Image], wishes: Wishes) -> list[object]:
    answers = pipeline(list(images), top_k=MOST_CLASSES, batch_size=len(images))
    return [ranked({str(one["label"]): float(one["score"]) for one in answer}, wishes) for answer in answers]
