"""Whether the files of a library's model can run code when they are loaded, told from the files alone."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from services.model_serving.loading import hugging_face

Conf: TypeAlias = Mapping[str, Any]
FileCheck: TypeAlias = Callable[[Path, Conf, Conf], str | None]
"""From the folder, the `python_function` flavor and the library's own to what is wrong, None when nothing is."""

CLASS_OF_XGBOOST = re.compile(r"xgboost\.(core\.Booster|sklearn\.XGB\w+)")


def _xgboost(_folder: Path, _function: Conf, native: Conf) -> str | None:
    """The format is data; the class that reads it is named in the `MLmodel` file and could be any."""
    name = str(native.get("model_class", "xgboost.core.Booster"))
    if not CLASS_OF_XGBOOST.fullmatch(name):
        return f"is read by {name}, which is no model of XGBoost; log a Booster or an estimator of XGBoost"
    return None


def _onnx(_folder: Path, _function: Conf, native: Conf) -> str | None:
    """A graph is data; options of an execution provider can name a library to load."""
    for provider in native.get("providers") or ():
        if not isinstance(provider, str):
            return "gives options to an execution provider; log it with the names of providers only"
    if (native.get("onnx_session_options") or {}).get("extra_session_config"):
        return "sets extra_session_config; log it without"
    return None


def _pytorch(folder: Path, function: Conf, _native: Conf) -> str | None:
    """An exported program is checked again by MLflow, whose switch stays off; a module is a pickle."""
    data = folder / str(function.get("data"))
    if (data / "model.pth").exists() or not (data / "model.pt2").is_file():
        return "is a pickled PyTorch module; log it with serialization_format='pt2'"
    return None


FILE_CHECKS: Mapping[str, FileCheck] = {
    "onnx": _onnx,
    "pytorch": _pytorch,
    "sentence_transformers": hugging_face.check_encoder,
    "transformers": hugging_face.check_pipeline,
    "xgboost": _xgboost,
}
