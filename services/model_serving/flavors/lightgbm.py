"""LightGBM: the booster on an array, with one thread.

The wrapper in scikit-learn's style costs 20 times the booster's time for one row. What it adds is known: classes.
"""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt
from lightgbm.basic import LightGBMError

from services.model_serving.flavors.arrays import array_of
from services.model_serving.flavors.lightgbm_row import Row
from services.model_serving.flavors.predictor import Candidate, Source, without_enforcement
from services.model_serving.flavors.refusal import first_line
from services.model_serving.signature import ModelInput

ROW_WISE = True
Finish = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]


def candidates(source: Source) -> Iterator[Candidate]:
    """Walk over the ways to call a booster or a wrapper."""
    yield from boosters(source.raw, source.function)
    yield without_enforcement(source)


def refusal(error: BaseException) -> str | None:
    """Say what LightGBM found wrong with inputs, such as another number of features."""
    return first_line(error) if isinstance(error, LightGBMError) else None


def boosters(model: object, function: str) -> Iterator[Candidate]:
    """Yield the call of the booster inside a model, if it has one whose answer can be finished here."""
    if isinstance(model, lightgbm.Booster) and function == "predict":
        yield _booster(model, {}, None)
    elif isinstance(model, lightgbm.LGBMModel) and not callable(model.objective_):
        extra = _extra_parameters(model)
        if not isinstance(model, lightgbm.LGBMClassifier):
            if function == "predict":
                yield _booster(model.booster_, extra, None)
        elif function == "predict":
            yield _booster(model.booster_, extra, _classes(model.classes_))
        elif function == "predict_proba":
            yield _booster(model.booster_, extra, _probabilities)


def _booster(booster: lightgbm.Booster, extra: dict[str, Any], finish: Finish | None) -> Candidate:
    function = booster.predict
    options = {**extra, "num_threads": 1}
    row = Row(booster).predict if not extra and Row.suitable(booster) else None

    def predict(inputs: ModelInput, params: dict[str, object] | None) -> Any:  # noqa: ANN401, ARG001 (the common form)
        array = array_of(inputs)
        scores = None if row is None else row(array)
        if scores is None:
            scores = function(array, **options)
        return scores if finish is None else finish(scores)

    return Candidate("Booster.predict", predict)


def _classes(classes: npt.NDArray[Any]) -> Finish:
    def finish(scores: npt.NDArray[Any]) -> npt.NDArray[Any]:
        best = np.argmax(scores if scores.ndim > 1 else _probabilities(scores), axis=1)
        return np.asarray(classes[best])

    return finish


def _probabilities(scores: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Complete the column of a binary model, as the wrapper does."""
    return scores if scores.ndim > 1 else np.vstack((1.0 - scores, scores)).transpose()


def _extra_parameters(model: lightgbm.LGBMModel) -> dict[str, Any]:
    """Return what was given beyond the wrapper's own arguments, such as `pred_early_stop`, which change predictions."""
    known = inspect.signature(lightgbm.LGBMModel).parameters
    return {name: value for name, value in model.get_params().items() if name not in known}
