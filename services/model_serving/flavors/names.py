"""Fitted estimators that have forgotten the names of their columns.

An estimator that was fitted on a DataFrame warns about every array that it is given, because names could not be
compared. Here the columns are in the order of the signature already, so it is given none to compare.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer

NAMES = "feature_names_in_"
OUTPUT = "_sklearn_output_config"
"""Set on a transformer that answers with DataFrames; the next one then compares names."""


def needs_names(estimator: BaseEstimator) -> bool:
    """Whether an estimator, or one inside it, selects columns or hands DataFrames on."""
    return any(isinstance(part, ColumnTransformer) or OUTPUT in vars(part) for part in _walk(estimator, set()))


def without_names(estimator: BaseEstimator) -> Any:  # noqa: ANN401 (of the given type)
    """Return an estimator without names, which shares all arrays with the given one; that one stays as it is."""
    return _without_names(estimator, {})


def _without_names(value: Any, done: dict[int, Any]) -> Any:  # noqa: ANN401 (any attribute of an estimator)
    if id(value) in done:
        return done[id(value)]
    if isinstance(value, BaseEstimator):
        fields = vars(value)
        changed = {name: new for name, old in fields.items() if (new := _without_names(old, done)) is not old}
        if not changed and NAMES not in fields:
            return value
        copy = object.__new__(type(value))
        vars(copy).update({name: old for name, old in (fields | changed).items() if name != NAMES})
        done[id(value)] = copy
        return copy
    if isinstance(value, list | tuple):
        parts = [_without_names(part, done) for part in value]
        if all(new is old for new, old in zip(parts, value, strict=True)):
            return value
        return parts if isinstance(value, list) else tuple(parts)
    if isinstance(value, dict):
        changed = {key: new for key, old in value.items() if (new := _without_names(old, done)) is not old}
        return type(value)(**(value | changed)) if changed else value
    if isinstance(value, np.ndarray) and value.dtype == object:
        flat = [_without_names(part, done) for part in value.flat]
        if all(new is old for new, old in zip(flat, value.flat, strict=True)):
            return value
        copy = np.empty(value.shape, dtype=object)
        copy.flat[:] = flat
        return copy
    return value


def _walk(value: Any, seen: set[int]) -> Iterator[BaseEstimator]:  # noqa: ANN401 (any attribute of an estimator)
    if id(value) in seen:
        return
    if isinstance(value, BaseEstimator):
        seen.add(id(value))
        yield value
        parts: Any = vars(value).values()
    elif isinstance(value, dict):
        parts = value.values()
    elif isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.dtype == object):
        parts = value if not isinstance(value, np.ndarray) else value.flat
    else:
        return
    for part in parts:
        yield from _walk(part, seen)
