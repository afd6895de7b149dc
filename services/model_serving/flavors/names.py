"""Fitted estimators that have forgotten the names of their columns.

An estimator that was fitted on a DataFrame warns about every array that it is given, because names could not be
compared. Here the columns are in the order of the signature already, so it is given none to compare.
"""

from collections.abc import Iterable
from copy import copy
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer

NAMES = "feature_names_in_"
OUTPUT = "_sklearn_output_config"
"""Set on a transformer that answers with DataFrames; the next one then compares names."""


def needs_names(estimator: BaseEstimator) -> bool:
    """Whether an estimator, or one inside it, selects columns or hands DataFrames on."""
    return any(isinstance(part, ColumnTransformer) or OUTPUT in vars(part) for part in parts(estimator))


def without_names(estimator: BaseEstimator) -> Any:  # noqa: ANN401 (of the given type)
    """Return an estimator without names, which shares all arrays with the given one; that one stays as it is."""
    return _without_names(estimator, {})


def parts(model: object) -> list[Any]:
    """Return an estimator and all inside it, each once; none for an object of another kind."""
    found: dict[int, Any] = {}
    waiting = [model]
    while waiting:
        value = waiting.pop()
        if isinstance(value, BaseEstimator):
            if id(value) in found:
                continue
            found[id(value)] = value
            waiting.extend(vars(value).values())
        else:
            waiting.extend(_contents(value))
    return list(found.values())


def _contents(value: object) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    if isinstance(value, np.ndarray):
        return value.flat if value.dtype == object else ()
    return value if isinstance(value, list | tuple) else ()


def _without_names(value: Any, done: dict[int, Any]) -> Any:  # noqa: ANN401 (any attribute of an estimator)
    """Return the value itself when nothing in it has names, else a copy as deep as needed."""
    if isinstance(value, BaseEstimator):
        if id(value) not in done:
            done[id(value)] = _nameless(value, done)
        return done[id(value)]
    old = list(_contents(value))
    new = [_without_names(part, done) for part in old]
    if all(part is other for part, other in zip(new, old, strict=True)):
        return value
    if isinstance(value, dict):
        mapping = copy(value)  # of its own kind: scikit-learn's Bunch gives its entries as attributes
        mapping.update(zip(value, new, strict=True))
        return mapping
    if isinstance(value, np.ndarray):
        array = np.empty(value.shape, dtype=object)
        array.flat[:] = new
        return array
    return type(value)(new)


def _nameless(estimator: BaseEstimator, done: dict[int, Any]) -> BaseEstimator:
    fields = vars(estimator)
    changed = {name: new for name, old in fields.items() if (new := _without_names(old, done)) is not old}
    if not changed and NAMES not in fields:
        return estimator
    nameless: BaseEstimator = object.__new__(type(estimator))
    vars(nameless).update({name: value for name, value in (fields | changed).items() if name != NAMES})
    return nameless
