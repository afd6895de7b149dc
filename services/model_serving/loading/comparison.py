"""Whether two answers, as JSON values, are the same."""

import math

RELATIVE_TOLERANCE = 1e-9
"""Floats may differ by less: a sum in another order does, a wrong model does not."""


def first_difference(left: object, right: object, path: str = "predictions") -> str | None:
    """Return where two answers differ, None when they do not."""
    if isinstance(left, dict) and isinstance(right, dict):
        if left.keys() != right.keys():
            return path
        pairs = ((f"{path}.{key}", left[key], right[key]) for key in left)
    elif isinstance(left, list) and isinstance(right, list):
        if len(left) != len(right):
            return path
        pairs = ((f"{path}.{position}", *pair) for position, pair in enumerate(zip(left, right, strict=True)))
    elif isinstance(left, float) and isinstance(right, float):
        return None if math.isclose(left, right, rel_tol=RELATIVE_TOLERANCE) else path
    else:
        return None if left == right else path
    return next((found for where, one, other in pairs if (found := first_difference(one, other, where))), None)
