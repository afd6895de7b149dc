"""What server and models say of themselves."""

from typing import Any

import orjson

from mlplatform import __version__
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.protocols.open_inference.model_tensors import tensors_of

EXTENSIONS = ("binary_tensor_data", "model_repository", "statistics")
PLATFORM = "mlflow"
SERVER = orjson.dumps({"name": "ml-platform", "version": __version__, "extensions": EXTENSIONS})


def model_metadata(model: LoadedModel, versions: list[str]) -> dict[str, Any]:
    """Describe a version.

    Args:
        model: The version.
        versions: Those of the model that are in memory.
    """
    return {
        "name": model.identity.name,
        "versions": sorted(versions, key=int),
        "platform": PLATFORM,
        "inputs": [tensor.to_json() for tensor in tensors_of(model).inputs],
        "outputs": [tensor.to_json() for tensor in tensors_of(model).outputs],
    }
