"""scikit-learn: the estimator on an array, without column names; on a DataFrame where it selects columns by name."""

import importlib
from collections.abc import Iterator
from typing import Any

from sklearn.base import BaseEstimator

from services.model_serving.flavors import arithmetic
from services.model_serving.flavors.arrays import array_of
from services.model_serving.flavors.names import needs_names, without_names
from services.model_serving.flavors.predictor import Candidate, Source, without_enforcement
from services.model_serving.signature import ModelInput

ROW_WISE = True


def candidates(source: Source) -> Iterator[Candidate]:
    """Walk over the ways to call an estimator."""
    model, function = source.raw, source.function
    yield from _of_another_library(model, function)
    if isinstance(model, BaseEstimator) and not needs_names(model):
        nameless = _on_array(without_names(model), function)
        if shortcut := arithmetic.shortcut(model, function, otherwise=nameless.predict):
            yield shortcut
        yield nameless
    yield without_enforcement(source)


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
