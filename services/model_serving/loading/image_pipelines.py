"""Pipelines that find objects in images: they score files in batch jobs, and no rows.

MLflow has no `pyfunc` form of object detection, so these are loaded here, and no text ever reaches them: they would
take one for an address or a path, and read what is there.
"""

from pathlib import Path
from typing import Any, NoReturn

from mlflow.models import Model
from PIL import Image

from services.model_serving.errors import InputsRefused, LoadError, UnsafeModelError
from services.model_serving.loading.hugging_face import check_pipeline
from services.model_serving.signature import ModelInput

TASKS = frozenset({"object-detection"})
LIBRARY = "transformers"
PROCESSOR = "image_processor"
EDGE = 64


def is_image_pipeline(description: Model) -> bool:
    """Whether a model is such a pipeline; those of other tasks are loaded by MLflow and guarded."""
    return description.flavors.get(LIBRARY, {}).get("task") in TASKS


def open_image_pipeline(name: str, folder: Path, description: Model) -> Any:  # noqa: ANN401 (an object of the library)
    """Load a pipeline from its own files, which are checked first, and warm it; no code is run, and nothing fetched.

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
    processor = folder / "components" / PROCESSOR
    if not processor.is_dir():
        raise LoadError(f"Model {name!r} has no {PROCESSOR} among its components.")
    from transformers import pipeline  # noqa: PLC0415 (takes seconds, and is needed for no other model)

    loaded = pipeline(
        native["task"],
        model=str(folder / str(native.get("model_binary", "pipeline"))),
        image_processor=str(processor),
        device="cpu",
        trust_remote_code=False,
    )
    call_blank(loaded)
    return loaded


def call_blank(loaded: Any) -> None:  # noqa: ANN401 (an object of the library)
    """Call a pipeline with an image of one shade."""
    loaded([Image.new("RGB", (EDGE, EDGE), "gray")])


def refuse_rows(_inputs: ModelInput, _params: dict[str, object] | None) -> NoReturn:
    """Say that this model takes files.

    Raises:
        InputsRefused: Always.
    """
    raise InputsRefused("This model takes files of images: submit them as a batch job.")
