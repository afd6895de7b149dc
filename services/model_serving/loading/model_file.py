"""The `MLmodel` file of a model."""

from pathlib import Path
from typing import Any

from mlflow.models import Model
from mlflow.models.model import MLMODEL_FILE_NAME
from mlflow.utils.yaml_utils import read_yaml

from mlplatform.registry import tags as tag

PIPELINES = "transformers"
"""The flavor of pipelines of Hugging Face."""


def read_model_file(folder: Path) -> Model:
    """Read what a model says about itself.

    `Model.load` does the same with the YAML parser that is written in Python, which takes three times as long.
    """
    return Model.from_dict(read_yaml(str(folder), MLMODEL_FILE_NAME))


def metadata_of(model: Model) -> dict[str, Any]:
    """Return what a model says about itself; a pipeline says its task itself."""
    task = model.flavors.get(PIPELINES, {}).get("task")
    return {**({tag.TASK: task} if task else {}), **(model.metadata or {})}
