"""Images as a pipeline prepares them for its model: those of one shape go in together, as many as fit a budget.

A pipeline may enlarge what it is given, so what counts are the numbers that go into the model, and not the pixels of
the files. Images of different shapes are never padded to one, which would change their answers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from PIL.Image import Image

from mlplatform.errors import PlatformError
from services.model_serving.batch.scoring.calls import Check, Load, Outcome, failed, score_together, tried
from services.model_serving.batch.scoring.images import CALL_IMAGES, CALL_VALUES
from services.model_serving.batch.scoring.pipelines import Pipeline
from services.model_serving.batch.scoring.rows import error_json
from services.model_serving.batch.uploads.errors import FileError
from services.model_serving.engine.loaded_model import LoadedModel

Shape: TypeAlias = tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True)
class Prepared:
    """An image as its model takes it.

    Attributes:
        tensors: By name, each with a first dimension of one.
        width: Of the original, in pixels.
        height: Of the original.
        shape: Shapes of all tensors; those of equal ones can be joined.
        values: Numbers in all tensors.
    """

    tensors: dict[str, Any]
    width: int
    height: int
    shape: Shape
    values: int


def prepare(pipeline: Pipeline, image: Image) -> Prepared:
    """Have a pipeline prepare an image."""
    tensors = dict(pipeline.preprocess(image))
    shape = tuple((name, tuple(tensor.shape)) for name, tensor in sorted(tensors.items()))
    return Prepared(tensors, image.width, image.height, shape, sum(int(one.numel()) for one in tensors.values()))


def forward(pipeline: Pipeline, images: Sequence[Prepared]) -> Any:  # noqa: ANN401 (the library's own form)
    """Call the model of a pipeline once with images of one shape; return its answer."""
    import torch  # noqa: PLC0415 (takes seconds, and is loaded already where there is a pipeline)

    names = images[0].tensors
    return pipeline.forward({name: torch.cat([one.tensors[name] for one in images]) for name in names})


def score_prepared(
    model: LoadedModel,
    files: Sequence[Load[Image]],
    pipeline: Pipeline,
    call: Callable[[Sequence[Prepared]], Sequence[object]],
    check: Check,
) -> list[Outcome]:
    """Have images prepared and call a model with them; no more are held than one call takes, and one.

    Args:
        model: That the pipeline is of.
        files: Images.
        pipeline: Prepares them.
        call: Calls the model with images of one shape; returns the output of each.
        check: Called before each file and each call; raises to end the work.
    """
    outcomes: list[Outcome] = [(None, None)] * len(files)
    waiting: dict[Shape, list[tuple[int, Prepared]]] = {}

    def flush() -> None:
        for together in waiting.values():
            scored = score_together(model, [one for _, one in together], call, check)
            for (place, _), outcome in zip(together, scored, strict=True):
                outcomes[place] = outcome
        waiting.clear()

    count = held = 0
    for place, load in enumerate(files):
        check()
        try:
            found = tried(model, partial(prepare, pipeline, load()))
        except FileError as error:
            outcomes[place] = failed(error)
            continue
        if isinstance(found, PlatformError):
            outcomes[place] = None, error_json(found)
            continue
        if held + found.values > CALL_VALUES or count == CALL_IMAGES:
            flush()
            count = held = 0
        waiting.setdefault(found.shape, []).append((place, found))
        count, held = count + 1, held + found.values
    flush()
    return outcomes
