"""What a model answers, as values that JSON knows."""

import base64
from typing import Any

import numpy as np
import orjson
import pandas as pd

from services.model_serving.errors import ModelFailedError


def to_plain(answer: Any) -> object:  # noqa: ANN401 (a model may answer anything)
    """Bring an answer to lists, dicts and scalars: a DataFrame becomes records, a Series or an array a list."""
    if isinstance(answer, pd.DataFrame):
        return answer.to_dict("records")
    if isinstance(answer, pd.Series | pd.Index):
        return answer.tolist()
    if isinstance(answer, np.ndarray):
        # orjson writes numbers straight from the array; a list is needed for what it cannot: text, objects, odd strides
        fast = answer.dtype.kind in "biuf" and answer.dtype.itemsize > 1 and answer.flags.c_contiguous and answer.ndim
        return answer if fast else answer.tolist()
    return answer


def render(content: object) -> bytes:
    """Write JSON; NaN and the infinities, which JSON does not have, become null.

    Raises:
        ModelFailedError: the model answered something without a JSON form.
    """
    try:
        return orjson.dumps(content, _other, orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
    except orjson.JSONEncodeError as error:
        raise ModelFailedError("The model answered something that has no JSON form.") from error


def _other(value: object) -> object:
    if value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, pd.Timestamp | pd.Period | pd.Timedelta):
        return value.isoformat() if not isinstance(value, pd.Period) else str(value)
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, pd.DataFrame | pd.Series):
        return to_plain(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=repr)
    raise TypeError(type(value).__name__)
