"""scikit-learn: the estimator on an array, without column names; on a DataFrame where it selects columns by name."""

import importlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from sklearn.base import BaseEstimator

from services.model_serving.flavors import arithmetic
from services.model_serving.flavors.arrays import array_of
from services.model_serving.flavors.names import needs_names, parts, without_names
from services.model_serving.flavors.predictor import Candidate, Source, without_enforcement
from services.model_serving.signature import ModelInput

ROW_WISE = True
JOBS_TOLERANCE = 1e-12
"""Of the largest number of an answer: trees are added up in the order in which the jobs happen to end."""


def candidates(source: Source) -> Iterator[Candidate]:
    """Walk over the ways to call an estimator."""
    model, function = source.raw, source.function
    yield from _of_another_library(model, function)
    tolerance = JOBS_TOLERANCE if _end_jobs(model) else 0.0
    if isinstance(model, BaseEstimator) and not needs_names(model):
        nameless = _on_array(without_names(model), function)
        if shortcut := arithmetic.shortcut(model, function, otherwise=nameless.predict):
            yield replace(shortcut, tolerance=tolerance)
        yield replace(nameless, tolerance=tolerance)
    yield replace(without_enforcement(source), tolerance=tolerance)


def refusal(error: BaseException) -> str | None:
    """Say what a wrapped library found wrong with inputs; scikit-learn itself raises a ValueError, as XGBoost does."""
    library = type(error).__module__.partition(".")[0]
    if library != "lightgbm":
        return None
    found: str | None = importlib.import_module(f"{__package__}.{library}").refusal(error)
    return found


def _end_jobs(model: object) -> bool:
    """Let a model use one thread, as each call does here; return whether it used more."""
    parallel = [part for part in parts(model) if getattr(part, "n_jobs", None) not in {None, 1}]
    for part in parallel:
        part.n_jobs = 1
    return bool(parallel)


def _on_array(model: BaseEstimator, name: str) -> Candidate:
    function = getattr(model, name)

    def predict(inputs: ModelInput, params: dict[str, object] | None) -> Any:  # noqa: ANN401, ARG001 (the common form)
        return function(array_of(inputs))

    return Candidate(f"{type(model).__name__}.{name} on an array", predict)


def _of_another_library(model: object, function: str) -> Iterator[Candidate]:
    """A wrapper that was logged as a scikit-learn model is called as that library's own."""
    library = type(model).__module__.partition(".")[0]
    if library in {"lightgbm", "xgboost"}:
        module = importlib.import_module(f"{__package__}.{library}")
        yield from module.boosters(model, function)
