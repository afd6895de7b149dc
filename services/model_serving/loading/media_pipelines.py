"""Models of images, sound and video: what is sent to them is looked at, and what is named is never opened.

The libraries take a text for an image or a recording in three ways: as an address, which they fetch, as the path of a
file, which they read, or as base64. Whoever may predict could so have the service read its own files and call machines
that only it can reach. Two places are held. Texts are judged before MLflow sees them: it looks for a file of that name,
and would answer differently for one that is there. And what a pipeline is about to open is judged again, for parameters
and configurations can name its inputs as well. Both are part of the model as it is loaded, so that no protocol and no
example goes past them.
"""

import base64
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn, Protocol

import numpy as np
import pandas as pd
from mlflow.pyfunc import PyFuncModel
from PIL.Image import Image

from mlplatform.media.pixels import UnreadableImage, count_pixels, open_image
from services.model_serving.errors import InputsRefused

ENCODERS, PIPELINES = "mlflow.sentence_transformers", "mlflow.transformers"
TEXT_PIPELINES = frozenset(
    {
        "FeatureExtractionPipeline",
        "FillMaskPipeline",
        "InstructionTextGenerationPipeline",
        "QuestionAnsweringPipeline",
        "SummarizationPipeline",
        "TableQuestionAnsweringPipeline",
        "Text2TextGenerationPipeline",
        "TextClassificationPipeline",
        "TextGenerationPipeline",
        "TokenClassificationPipeline",
        "TranslationPipeline",
        "ZeroShotClassificationPipeline",
    }
)
"""To these an address is a text like any other; pipelines that are not listed may open it."""
IMAGE_PIPELINES = frozenset({"ImageClassificationPipeline"})
"""Of those that MLflow calls, the ones that take base64 text for an image."""
MEDIA = frozenset({"audio", "image", "video"})
LARGEST_IMAGE = 25_000_000
"""Pixels of an image that is sent to be answered at once."""
MOST_PIXELS = 4 * LARGEST_IMAGE
"""Of all images of a call together, for a file of a few bytes can hold as many as the largest."""
NUMBERS = "biufcmM"
"""Kinds of arrays that hold no texts."""

NO_ADDRESSES = "Addresses and paths of files are not read: read the file yourself and send what it holds."
NO_TEXT = f"This model takes no text for what it is to hear or see. {NO_ADDRESSES}"
NO_OBJECTS = f"This model takes texts and no objects. {NO_ADDRESSES}"
NO_PAIRS = f"This model takes texts and no pairs of them. {NO_ADDRESSES}"
TOO_MANY = f"The images have more than {MOST_PIXELS:,} pixels together; send them in several calls."

Judge = Callable[[Iterable[object]], None]
"""Is given the values of a call; raises `InputsRefused` if one is not handed on."""


class Implementation(Protocol):
    """What MLflow wraps a library's model in."""

    def get_raw_model(self) -> Any:  # noqa: ANN401 (an object of the library)
        """Return the library's own object."""

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 (a model may take anything)
        """Predict."""


class Guarded:
    """MLflow's wrapper of a model, which judges inputs before it hands them on.

    Args:
        wrapper: MLflow's.
        judge: Is given all values of the inputs.
    """

    def __init__(self, wrapper: Implementation, judge: Judge) -> None:
        self._wrapper = wrapper
        self._judge = judge

    def get_raw_model(self) -> Any:  # noqa: ANN401 (an object of the library)
        """Return the library's own object."""
        return self._wrapper.get_raw_model()

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 (a model may take anything)
        """Predict.

        Raises:
            InputsRefused: The inputs name something instead of being it.
        """
        self._judge(_values(data))
        return self._wrapper.predict(data, params=params)


def guard(model: PyFuncModel) -> PyFuncModel:
    """Return a model that opens nothing that its inputs name; a model that never would is returned as it is.

    Args:
        model: As MLflow loaded it. Code of a model's own is not looked at.
    """
    if model.loader_module == PIPELINES:
        return _guard_pipeline(model)
    return _guard_encoder(model) if model.loader_module == ENCODERS else model


def _guard_pipeline(model: PyFuncModel) -> PyFuncModel:
    pipeline = model.get_raw_model()
    kinds = {kind.__name__ for kind in type(pipeline).__mro__}
    if kinds & TEXT_PIPELINES:
        return model
    images = bool(kinds & IMAGE_PIPELINES)
    preprocess = pipeline.preprocess

    def open_and_preprocess(value: object, *args: Any, **options: Any) -> Any:  # noqa: ANN401 (the library's own form)
        given = _opened(value) if images and isinstance(value, str) else value
        _no_texts(_values(given))
        return preprocess(given, *args, **options)

    pipeline.preprocess = open_and_preprocess
    return _with(model, _images if images else _no_texts)


def _guard_encoder(model: PyFuncModel) -> PyFuncModel:
    """Have an encoder of several kinds of input take every text for a text, as if it knew no other kind."""
    media = False
    for module in model.get_raw_model().modules():
        known = getattr(module, "modality_config", None) or {}
        texts = {kind: known[kind] for kind in known if not MEDIA.intersection(_parts(kind))}
        if len(texts) < len(known):
            module.modality_config = texts
            module.input_formatter.supported_modalities = list(texts)
            module.input_formatter.pair_to_messages = _no_pair  # it would ask of every part what kind it is
            media = True
    return _with(model, _no_objects) if media else model


def _parts(kind: str | tuple[str, ...]) -> tuple[str, ...]:
    return (kind,) if isinstance(kind, str) else kind


def _with(model: PyFuncModel, judge: Judge) -> PyFuncModel:
    wrapper = model._model_impl  # noqa: SLF001 (MLflow calls it "a stable developer API")
    guarded = PyFuncModel(model.metadata, Guarded(wrapper, judge), model_id=model.model_id)
    guarded.input_example = model.input_example
    return guarded


def _values(given: object) -> Iterator[object]:
    """Walk over the values of inputs, however deep; objects are among them, lists are not."""
    waiting = [given]
    while waiting:
        part = waiting.pop()
        if isinstance(part, pd.DataFrame):
            waiting.extend(column.to_numpy() for _, column in part.items())
        elif isinstance(part, np.ndarray):
            if part.dtype.kind not in NUMBERS:
                waiting.extend(part.reshape(-1).tolist())
        elif isinstance(part, list | tuple):
            waiting.extend(part)
        else:
            yield part
            if isinstance(part, dict):
                waiting.extend(part.values())


def _images(values: Iterable[object]) -> None:
    pixels = 0
    for value in values:
        if isinstance(value, str):
            pixels += _counted(value)
            if pixels > MOST_PIXELS:
                raise InputsRefused(TOO_MANY)


def _counted(text: str) -> int:
    try:
        return count_pixels(_decoded(text))
    except UnreadableImage as error:
        raise InputsRefused(_no_image(str(error))) from error


def _opened(text: str) -> Image:
    try:
        return open_image(_decoded(text), LARGEST_IMAGE)
    except UnreadableImage as error:
        raise InputsRefused(_no_image(str(error))) from error


def _decoded(text: str) -> bytes:
    """Decode base64 as Python writes it: of a text with other spaces or endings, MLflow asks whether it is a file."""
    try:
        content = base64.b64decode(text)
    except ValueError as error:  # base64's own error, or that of a character beyond ASCII
        raise InputsRefused(_no_image("is no base64 text")) from error
    if text not in (base64.b64encode(content).decode(), base64.encodebytes(content).decode()):
        raise InputsRefused(_no_image("is no base64 text"))
    return content


def _no_image(fault: str) -> str:
    return f"An input {fault}. This model takes images, each as the base64 text of its file. {NO_ADDRESSES}"


def _no_texts(values: Iterable[object]) -> None:
    if any(isinstance(value, str) for value in values):
        raise InputsRefused(NO_TEXT)


def _no_objects(values: Iterable[object]) -> None:
    if any(isinstance(value, dict) for value in values):
        raise InputsRefused(NO_OBJECTS)


def _no_pair(_: object) -> NoReturn:
    raise InputsRefused(NO_PAIRS)
