"""A folder of sentence-transformers as MLflow lays a model out."""

import shutil
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from pathlib import Path

import numpy as np
from mlflow import pyfunc
from mlflow.models import Model, ModelSignature
from mlflow.types.schema import ColSpec, Schema, TensorSpec

MODEL_FOLDER = "model.sentence_transformer"
"""Where MLflow's sentence-transformers flavor keeps the model within its artifacts."""

Ignore = Callable[[str, list[str]], Iterable[str]]


def write_artifacts(
    model: Path,
    folder: Path,
    *,
    model_id: str,
    location: str,
    dimension: int,
    metadata: Mapping[str, str],
    ignore: Ignore | None = None,
) -> None:
    """Write a model as MLflow's sentence-transformers flavor lays it out, so that any MLflow client loads it.

    The flavor's own `save_model` would load the model and write it anew: seconds, and other bytes than were verified.

    Args:
        model: What sentence-transformers loads.
        folder: An empty folder.
        model_id: The logged model that the artifacts belong to.
        location: Where they will be stored.
        dimension: Length of a vector.
        metadata: What else is known of the model.
        ignore: Names to leave out, as `shutil.copytree` asks for them.
    """
    shutil.copytree(model, folder / MODEL_FOLDER, ignore=ignore)
    library = version("sentence-transformers")
    described = Model(
        model_id=model_id,
        artifact_path=location,
        signature=ModelSignature(
            Schema([ColSpec("string")]), Schema([TensorSpec(np.dtype("float32"), (-1, dimension))])
        ),
        metadata=dict(metadata),
    )
    pyfunc.add_to_model(described, loader_module="mlflow.sentence_transformers", data=MODEL_FOLDER)
    described.add_flavor("sentence_transformers", sentence_transformers_version=library, code=None)
    described.save(str(folder / "MLmodel"))
    (folder / "requirements.txt").write_text(f"mlflow=={version('mlflow')}\nsentence-transformers=={library}\n")
