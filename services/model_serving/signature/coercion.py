"""The conversions of MLflow's scoring server that lose or guess, for those who rely on them."""

import math
from collections.abc import Callable, Sequence

from mlflow.types.schema import DataType


def coerce(values: Sequence[object], kind: DataType) -> Sequence[object]:
    """Convert what can be converted; the rest stays as it is, and is refused later.

    Args:
        values: one per row.
        kind: what the column is declared as.
    """
    convert = _CONVERSIONS.get(kind)
    return values if convert is None else [convert(value) for value in values]


def _to_float(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        number = float(value)
    except ValueError:
        return value
    return number if math.isfinite(number) else value


def _to_integer(value: object) -> object:
    if isinstance(value, float) and math.isfinite(value):
        return int(value)
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            return value
    return value


_CONVERSIONS: dict[DataType, Callable[[object], object]] = {
    DataType.double: _to_float,
    DataType.float: _to_float,
    DataType.integer: _to_integer,
    DataType.long: _to_integer,
}
