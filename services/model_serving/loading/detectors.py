"""Pipelines of object detection, of which MLflow stores no `pyfunc` form. They score files in batch jobs, not rows."""

from pathlib import Path
from typing import Any, NoReturn

from mlflow.models import Model

from services.model_serving.errors import InputsRefused, LoadError, UnsafeModelError
from services.model_serving.loading.hugging_face import check_pipeline
from services.model_serving.signature import ModelInput

TASK = "object-detection"
LIBRARY = "transformers"
PROCESSOR = "image_processor"


def is_detector(description: Model) -> bool:
    """Whether a model is such a pipeline."""
    return "python_function" not in description.flavors and description.flavors.get(LIBRARY, {}).get("task") == TASK


def open_detector(name: str, folder: Path, description: Model) -> Any:  # noqa: ANN401 (an object of the library)
    """Load a pipeline from its own files, which are checked first; code is never run, and nothing fetched.

    Args:
        name: Of the registered model.
        folder: Its artifacts.
        description: The content of its `MLmodel` file.

    Raises:
        UnsafeModelError: Its files could run code.
        LoadError: It cannot be loaded.
    """
    native = description.flavors[LIBRARY]
    if fault := check_pipeline(folder, {}, native):
        raise UnsafeModelError(f"Model {name!r} {fault}.")
    from transformers import pipeline  # noqa: PLC0415 (takes seconds, and is needed for no other model)

    processor = folder / "components" / PROCESSOR
    if not processor.is_dir():
        raise LoadError(f"Model {name!r} has no {PROCESSOR} among its components.")
    return pipeline(
        TASK,
        model=str(folder / str(native.get("model_binary", "pipeline"))),
        image_processor=str(processor),
        device="cpu",
        trust_remote_code=False,
    )


def refuse_rows(_inputs: ModelInput, _params: dict[str, object] | None) -> NoReturn:
    """Say that this model takes files.

    Raises:
        InputsRefused: Always.
    """
    raise InputsRefused("This model finds objects in files of images: submit them as a batch job.")
