"""Predictions as the stock server writes them, to the byte, with null for what JSON cannot say.

Python writes numbers in its own way (`1e-05`, a blank after each comma) and clients compare bodies. Large arrays go
through orjson, which is much faster and writes the same digits as long as no number needs an exponent.
"""

import math
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import orjson
import pandas as pd
from mlflow.utils.proto_json_utils import NumpyEncoder

from services.model_serving.errors import ModelFailedError

SMALL = 64
"""Numbers up to which Python's own encoder is as fast."""
LOW, HIGH = 1e-4, 1e16
"""Between these Python and orjson write a float alike: its shortest digits, without an exponent."""
NUMBERS = "fiub"

_encode = NumpyEncoder(allow_nan=False).encode


def render(predictions: Any, *, wrapped: bool = True) -> bytes:  # noqa: ANN401 (a model may answer anything)
    """Write an answer.

    Args:
        predictions: As the model gave them.
        wrapped: Whether they stand under the key `predictions`.

    Raises:
        ModelFailedError: they have no JSON form.
    """
    if isinstance(predictions, np.ndarray) and predictions.size > SMALL:
        numbers = _numbers(predictions)
        if numbers is not None:
            return b'{"predictions": ' + numbers + b"}" if wrapped else numbers
    content = _jsonable(predictions)
    return _text({"predictions": content} if wrapped else content)


def _numbers(array: npt.NDArray[Any]) -> bytes | None:
    """Write an array with orjson; None when it holds no numbers, or some that Python writes in another way."""
    if array.dtype.kind not in NUMBERS or not array.dtype.isnative:
        return None
    if array.dtype.kind == "f":
        array = array.astype(np.float64, copy=False)
        size = np.abs(array)
        if not (((size >= LOW) & (size < HIGH)) | (size == 0)).all():
            return None
    return orjson.dumps(np.ascontiguousarray(array), option=orjson.OPT_SERIALIZE_NUMPY).replace(b",", b", ")


def _jsonable(predictions: Any) -> Any:  # noqa: ANN401 (a model may answer anything)
    if isinstance(predictions, np.ndarray):
        return predictions.tolist()
    if isinstance(predictions, pd.Series):
        return predictions.to_frame().to_dict("records")
    return predictions.to_dict("records") if isinstance(predictions, pd.DataFrame) else predictions


def _text(content: object) -> bytes:
    try:
        return _ascii(content)
    except ValueError:  # a NaN or an infinity, or a circle
        return _text_without_nan(content)
    except (TypeError, RecursionError) as error:
        raise _no_form() from error


def _text_without_nan(content: object) -> bytes:
    try:
        return _ascii(_finite(content))
    except (ValueError, TypeError, RecursionError) as error:
        raise _no_form() from error


def _ascii(content: object) -> bytes:
    return cast("str", _encode(content)).encode("ascii")


def _finite(value: Any) -> Any:  # noqa: ANN401 (a model may answer anything)
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    if isinstance(value, np.ndarray | np.generic):
        return _finite(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _no_form() -> ModelFailedError:
    return ModelFailedError("The model answered something that has no JSON form.")
